"""Why the catalogue and litellm charge differently for one usage: rules, each of which predicts litellm's number.

The catalogue's way of pricing is written down here a second time, from the source's row and in fractions; a rule is
one deviation from it. A difference is explained where the way without a deviation gives the catalogue's number and the
way with it gives litellm's. docs/catalogue.md tells the rules in words.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

UNKNOWN = "unknown here: the list has no exact price of text for this model"
# The finest price that the catalogue has, in parts of a dollar.
FEMTO = 10**15
PIECES_UNKNOWN = "by the piece: unknown here, the list has no exact price"
PROMPT_PICTURES = "by the piece: litellm takes the price of a picture in the prompt for one that is made"
RULES = {
    "zero": "a price of 0 for a special kind of token is 'not known' here, and free for litellm",
    "service": "litellm's own calculation for this provider knows no flex and priority prices",
    "flat": "litellm's own calculation for Perplexity knows no cached input, no tiers and no price of a request",
    "embeddings": "Fireworks' usual half price of cached input is for language models here, for embeddings too in litellm",
    "hour": "cache writes for an hour keep the tier's price in a service without prices of its own here",
    "row": "the list has several rows for this model, and litellm takes another one",
}
# The source's keys of each kind of token.
KINDS = {
    "input": "input_cost_per_token", "output": "output_cost_per_token",
    "cached": "cache_read_input_token_cost", "written": "cache_creation_input_token_cost",
    "written_1h": "cache_creation_input_token_cost_above_1hr",
    "reasoning": "output_cost_per_reasoning_token",
    "audio_in": "input_cost_per_audio_token", "audio_out": "output_cost_per_audio_token",
    "image_in": "input_cost_per_image_token", "image_out": "output_cost_per_image_token",
}  # fmt: skip
BROADER = {"cached": "input", "written": "input", "written_1h": "written", "reasoning": "output",
           "audio_in": "input", "audio_out": "output", "image_in": "input", "image_out": "output"}  # fmt: skip
TIER = re.compile(r"_above_(\d+)k_tokens(_flex|_priority)?$")


def explain(use, row: dict, nanos: int | None, dollars: float, alike: list[dict]) -> str | None:
    """The rule that explains the difference; `None` where none does. `alike` are the rows of one provider whose name
    ends alike."""
    if nanos is None:
        exact = row.get("input_cost_per_token") is not None and row["litellm_provider"] != "bigmodel"
        return None if exact else UNKNOWN
    singles = [frozenset([rule]) for rule in RULES if rule != "row"]
    pairs = [one | other for one in singles for other in singles if one != other]
    if near(cost(use, row, frozenset()), nanos / 1e9):
        for deviation in (*singles, *pairs):
            if near(cost(use, row, deviation), dollars):
                return "; ".join(RULES[rule] for rule in RULES if rule in deviation)
    mine = any(near(cost(use, other, frozenset()), nanos / 1e9) for other in alike)
    other = any(near(cost(use, other, way), dollars) for other in alike for way in (frozenset(), *singles))
    return RULES["row"] if mine and other and len(alike) > 1 else None


def explain_pieces(use, row: dict, nanos: int | None, dollars: float) -> str | None:
    """The rule that explains the difference for a usage of pieces; `None` where none does."""
    if nanos is None:
        prices = [value for key, value in row.items() if "_cost_per_" in key and isinstance(value, (int, float))]
        exact = all((Decimal(str(price)) * FEMTO) % 1 == 0 for price in prices)
        return None if exact else PIECES_UNKNOWN
    made, seen = (Fraction(str(row.get(f"{side}_cost_per_image") or 0)) for side in ("output", "input"))
    mine, other = near(use.pictures * made, nanos / 1e9), near(use.pictures * seen, dollars)
    return PROMPT_PICTURES if use.pictures and made and seen and mine and other else None


def near(exact: Fraction, dollars: float) -> bool:
    """Equal to the nano-dollar, but for what floats lose."""
    return abs(float(exact) - dollars) <= 0.5001e-9 + 1e-11 * abs(dollars)


def cost(use, row: dict, deviation: frozenset[str]) -> Fraction:
    """Dollars of a usage by the row's prices."""
    if "flat" in deviation:
        plain = {"input": use.input, "output": use.output - use.reasoning, "reasoning": use.reasoning}
        prices = table(row, "", deviation)
        return sum((count * price(prices, kind) for kind, count in plain.items()), Fraction(0))
    prices = rates(use, row, deviation)
    counts = {kind: getattr(use, kind) for kind in KINDS}
    counts["written"] -= use.written_1h
    counts["input"] -= use.cached + use.written + use.audio_in + use.image_in
    counts["output"] -= use.reasoning + use.audio_out + use.image_out
    fee = Fraction(str(row.get("input_cost_per_request") or 0))
    return sum((count * price(prices, kind) for kind, count in counts.items()), fee)


def price(prices: dict[str, Fraction], kind: str) -> Fraction:
    """The price of a kind, or of the next broader one."""
    while kind not in prices:
        kind = BROADER[kind]
    return prices[kind]


def table(row: dict, suffix: str, deviation: frozenset[str]) -> dict[str, Fraction]:
    """The prices of one tier or service."""
    found = {}
    for kind, key in KINDS.items():
        value = row.get(key + suffix)
        if value is None and kind == "cached" and not suffix:
            value = row.get("input_cost_per_token_cache_hit")
        if value is not None and (value or kind in ("input", "output") or "zero" in deviation):
            found[kind] = Fraction(Decimal(str(value)))
    halved = row["litellm_provider"] == "fireworks_ai" and (row["mode"] != "embedding" or "embeddings" in deviation)
    if halved and not suffix and "cached" not in found:
        found["cached"] = found.get("input", Fraction(0)) / 2
    return found


def anew(found: dict[str, Fraction], base: dict[str, Fraction]) -> dict[str, Fraction]:
    """Reasoning is priced with output."""
    if "reasoning" in found or "output" not in found or "reasoning" not in base:
        return found
    return found | {"reasoning": found["output"]}


def rates(use, row: dict, deviation: frozenset[str]) -> dict[str, Fraction]:
    """The prices of every token of this request."""
    base, tier = standard(use, row, deviation)
    usual = base | tier
    ending = "" if use.service == "standard" or "service" in deviation else f"_{use.service}"
    offered = anew(table(row, ending, deviation), base) if ending else {}
    own, own_tier = base | offered, {}
    bound = bounds(row, ending)
    for above in bound if ending else []:
        if use.input > above * 1000:
            own_tier |= anew(table(row, f"_above_{above}k_tokens{ending}", deviation), base)
    if not ending or not (offered or own_tier):
        if ending and "hour" in deviation and "written_1h" in base:
            return usual | {"written_1h": base["written_1h"]}
        return usual
    changed = {kind: value for kind, value in tier.items() if value != base.get(kind)}
    changed = {kind: max(value, own.get(kind, Fraction(0))) for kind, value in changed.items()}
    if "hour" in deviation:
        changed.pop("written_1h", None)
    return own | changed | own_tier


def standard(use, row: dict, deviation: frozenset[str]) -> tuple[dict[str, Fraction], dict[str, Fraction]]:
    """The prices of a short request, and what a longer one changes."""
    base = table(row, "", deviation)
    ranges = [entry for entry in row.get("tiered_pricing") or [] if "range" in entry]
    if ranges:
        made = {"litellm_provider": row["litellm_provider"], "mode": row["mode"]}
        levels = sorted(ranges, key=lambda entry: entry["range"][0])
        first = base | table(made | levels[0], "", deviation)
        tier = {}
        for entry in levels[1:]:
            if use.input > entry["range"][0]:
                tier = anew(table(made | entry, "", deviation), first)
        return first, tier
    tier = {}
    for above in bounds(row, ""):
        if use.input > above * 1000:
            tier |= anew(table(row, f"_above_{above}k_tokens", deviation), base)
    return base, tier


def bounds(row: dict, ending: str) -> list[int]:
    """The thresholds of a service, in thousands of tokens."""
    return sorted({int(found[1]) for key in row if (found := TIER.search(key)) and (found[2] or "") == ending})
