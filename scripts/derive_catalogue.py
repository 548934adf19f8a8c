#!/usr/bin/env python3
"""Derives crates/providers/data/catalogue.tsv from the published price list.

Usage: scripts/derive_catalogue.py <shared-data-folder> [--check]

Reads <folder>/catalogue/model_prices.json.gz (litellm's model_prices_and_context_window.json, MIT,
Berri AI) and writes one line a model, sorted, so that equal input gives equal bytes. With --check
nothing is written; the exit status says whether the committed file is what the input gives.
The format, and every rule below, is described in docs/catalogue.md.

Prices never pass through a binary float: the JSON text is read as decimals and written as decimals
in USD per million units. A price finer than 1e-15 USD per unit stops the script, unless it is a
known artefact (see ROUNDING) or of a provider whose list cannot be represented (see INEXACT).
"""

import gzip
import hashlib
import json
import re
import sys
from decimal import Decimal
from pathlib import Path

OUTPUT = Path(__file__).resolve().parent.parent / "crates/providers/data/catalogue.tsv"
SOURCE = "litellm 1.109.1 model_prices_and_context_window.json, MIT © Berri AI"
MODES = {"chat": "c", "responses": "r", "completion": "t", "embedding": "e"}
FEMTO = Decimal(10) ** 15

# The source has several names for one provider.
PROVIDERS = {
    "text-completion-openai": "openai", "text-completion-codestral": "codestral",
    "text-completion-inception": "inception", "cohere_chat": "cohere", "azure_text": "azure",
    "fireworks_ai-embedding-models": "fireworks_ai", "bedrock_converse": "bedrock",
}
# Price classes and containers: rows that are not models.
NOT_MODELS = re.compile(r"^(fireworks|together)-ai-|(^|/)container$|^fallback_generalizations$|^sample_spec$")

# Capabilities by letter; a letter that a reader does not know is ignored.
CAPABILITIES = {
    "t": "supports_function_calling", "p": "supports_parallel_function_calling",
    "v": "supports_vision", "d": "supports_pdf_input", "a": "supports_audio_input",
    "o": "supports_audio_output", "m": "supports_video_input", "r": "supports_reasoning",
    "s": "supports_response_schema", "c": "supports_prompt_caching", "y": "supports_system_messages",
    "w": "supports_web_search",
}
# Charges beside tokens that a token price does not show (a fee for each request or search).
FEES = ("input_cost_per_request", "input_cost_per_query")
SEARCH_FEE = "search_context_cost_per_query"
ALWAYS_SEARCHES = {"perplexity"}

# Prices by letter; the first key that is present counts.
PRICES = {
    "i": ("input_cost_per_token",), "o": ("output_cost_per_token",),
    "c": ("cache_read_input_token_cost", "input_cost_per_token_cache_hit"),
    "w": ("cache_creation_input_token_cost",), "r": ("output_cost_per_reasoning_token",),
    "a": ("input_cost_per_audio_token",), "b": ("output_cost_per_audio_token",),
}
TIER = re.compile(r"_above_(\d+)k_tokens$")

# Prices that the source's authors divided in binary floating point differ from a decimal by one unit
# in the last place: 2.0000000000000002E-7. Up to this relative difference they are that decimal.
ROUNDING = Decimal(1) / 2**51
# Converted from another currency, so that no decimal price exists: listed without prices.
INEXACT = {"bigmodel"}

# The source also writes 0 where it does not know. Only these are free (engines of one's own, and
# models that their vendor lists as free of charge); every other 0 + 0 counts as "not known".
FREE_PROVIDERS = {"lemonade", "llamagate", "ollama"}
FREE = re.compile(r"^(gemini/gemma-.*|zai/glm-4\.[57]-flash)$")
PAID_CLOUD = re.compile(r"[:-]cloud$")


def femto(value, where):
    """The price in 1e-15 USD, exactly; stops the script where that is not possible."""
    exact = Decimal(value) * FEMTO
    whole = exact.to_integral_value()
    if exact != whole and abs(exact - whole) > exact * ROUNDING:
        sys.exit(f"{where}: {value} USD is not a whole number of 1e-15 USD")
    if not 0 <= whole < 2**63:
        sys.exit(f"{where}: {value} USD is out of range")
    return int(whole)


def per_million(units):
    """Femto-dollars per unit as decimal USD per million units: 150000000 is 0.15."""
    text = f"{units // 10**9}.{units % 10**9:09d}".rstrip("0").rstrip(".")
    return text.removeprefix("0") if text.startswith("0.") else text


def priced(row, suffix, where):
    """The prices of one tier, by letter. The suffix stands at the end of the source's keys."""
    found = {}
    for letter, keys in PRICES.items():
        value = next((row[key + suffix] for key in keys if row.get(key + suffix) is not None), None)
        if value is not None and (value or letter in "io"):  # 0 for the other kinds: "not known"
            found[letter] = femto(value, f"{where} {keys[0]}{suffix}")
    return found


def tiers(row, where):
    """[(above this many input tokens, prices)], the base first with 0."""
    ranges = [t for t in row.get("tiered_pricing") or [] if "range" in t]
    if ranges:
        found = [(int(Decimal(t["range"][0])), priced(t, "", where)) for t in ranges]
        if found[0][0] != 0:
            sys.exit(f"{where}: the first tier does not begin at 0")
        base = priced(row, "", where)
        return [(0, base | found[0][1])] + sorted(found[1:], key=lambda tier: tier[0])
    found = [(0, priced(row, "", where))]
    for thousands in sorted({int(m[1]) for key in row if (m := TIER.search(key))}):
        above = priced(row, f"_above_{thousands}k_tokens", where)
        if above:
            found.append((thousands * 1000, above))
    return found


def price_text(name, provider, row):
    """`i.15 o.6 c.075 >200000 i.3 o1.2`, or nothing where the price is not known."""
    if provider in INEXACT:
        return ""
    found = tiers(row, name)
    base = found[0][1]
    if "i" not in base or ("o" not in base and row["mode"] != "embedding"):
        return ""
    if not any(price for _, prices in found for price in prices.values()):
        free = provider in FREE_PROVIDERS and not PAID_CLOUD.search(name)
        return "i0 o0" if free or FREE.match(name) else ""
    parts = []
    for above, prices in found:
        parts += [f">{above}"] if above else []
        parts += [f"{letter}{per_million(prices[letter])}" for letter in PRICES if letter in prices]
    return " ".join(parts)


def tokens(row, key):
    """A token count as text; empty where it is not known."""
    value = row.get(key)
    if value in (None, "") or not re.fullmatch(r"\d+(\.0)?", str(value)):
        return ""
    return str(int(Decimal(str(value)))) if Decimal(str(value)) > 0 else ""


def capabilities(provider, row):
    """The letters of what the model can do; `$` where it is charged for more than tokens."""
    letters = "".join(letter for letter, key in CAPABILITIES.items() if row.get(key) is True)
    fee = any(row.get(key) for key in FEES) or (provider in ALWAYS_SEARCHES and row.get(SEARCH_FEE))
    return letters + ("$" if fee else "")


def lines(source):
    """All lines, sorted by provider and model as bytes."""
    found = {}
    for name, row in source.items():
        mode = MODES.get(row.get("mode"))
        if mode is None or NOT_MODELS.search(name):
            continue
        given = row["litellm_provider"]
        provider = "vertex_ai" if given.startswith("vertex_ai-") else PROVIDERS.get(given, given)
        prefix = next((p for p in (f"{provider}/", f"{given}/") if name.startswith(p)), "")
        model = name[len(prefix):]
        if re.search(r"[\t\n]", provider + model) or not model.isascii():
            sys.exit(f"{name!r}: a name with a tab, a line break or beyond ASCII")
        date = str(row.get("deprecation_date") or "")
        if date and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
            sys.exit(f"{name}: deprecation date {date!r}")
        line = [
            provider, model, mode, tokens(row, "max_input_tokens"), tokens(row, "max_output_tokens"),
            capabilities(provider, row), price_text(name, provider, row), date,
        ]
        # Two rows for one model: one with a price counts before one without, then the row that
        # carries the provider's prefix (those are the maintained ones).
        key, rank = (provider.encode(), model.encode()), (bool(line[6]), bool(prefix))
        other = found.get(key)
        if other and other[1][6] != line[6]:
            taken = max((rank, line), other)[1][6]
            print(f"{name}: two prices, {other[1][6]!r} and {line[6]!r}; took {taken!r}", file=sys.stderr)
        if other is None or rank > other[0]:
            found[key] = (rank, line)
    return ["\t".join(found[key][1]) for key in sorted(found)]


def main():
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    if len(arguments) != 1:
        sys.exit(__doc__.strip())
    path = Path(arguments[0]) / "catalogue/model_prices.json.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        source = json.load(file, parse_float=Decimal)
    body = "".join(line + "\n" for line in lines(source))
    version = int.from_bytes(hashlib.sha256(body.encode()).digest()[:4], "big")
    text = f"# catalogue 1 {version} {SOURCE}\n{body}"
    if "--check" in sys.argv:
        sys.exit(0 if OUTPUT.read_text(encoding="utf-8") == text else f"{OUTPUT} is out of date")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(text, encoding="utf-8")
    print(f"{OUTPUT.name}: {body.count(chr(10))} models, {len(text)} bytes, version {version}")


if __name__ == "__main__":
    main()
