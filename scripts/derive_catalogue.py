#!/usr/bin/env python3
"""Derives crates/providers/data/catalogue.tsv from the published price list.

Usage: scripts/derive_catalogue.py <data-folder or list.json> [--check]

Reads <data-folder>/catalogue/model_prices.json.gz, or the file itself (litellm's
model_prices_and_context_window.json, MIT, Berri AI), and writes one line a model, sorted, so that equal input gives equal bytes; twins (regions, dates and
other names of a listed model) become short lines that lead to it. Prints how many rows became what. With --check
nothing is written; the exit status says whether the committed file is what the input gives.
The format, and every rule, is described in docs/catalogue.md; rules on names are in catalogue_rules.py.

Prices never pass through a binary float: the JSON text is read as decimals and written as decimals
in USD per million units. A price finer than 1e-15 USD per unit stops the script, unless it is a
known artefact (see ROUNDING) or of a provider whose list cannot be represented (see INEXACT).
"""

import gzip
import hashlib
import json
import re
import sys
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

from catalogue_rules import MODES, NOT_MODELS, class_of, dated, family, provider_of, without_region

OUTPUT = Path(__file__).resolve().parent.parent / "crates/providers/data/catalogue.tsv"
SOURCE = "litellm 1.109.1 model_prices_and_context_window.json, MIT © Berri AI"
FEMTO = Decimal(10) ** 15

# Capabilities by letter; a letter that a reader does not know is ignored.
CAPABILITIES = {
    "t": "supports_function_calling", "p": "supports_parallel_function_calling",
    "v": "supports_vision", "d": "supports_pdf_input", "a": "supports_audio_input",
    "o": "supports_audio_output", "m": "supports_video_input", "r": "supports_reasoning",
    "s": "supports_response_schema", "c": "supports_prompt_caching", "y": "supports_system_messages",
    "w": "supports_web_search", "u": "supports_computer_use", "f": "supports_assistant_prefill",
}  # fmt: skip
# Modalities that the source lists instead of a flag.
INPUTS = {"image": "v", "audio": "a", "video": "m", "pdf": "d", "file": "d"}
OUTPUTS = {"audio": "o", "image": "g"}
# Charges that none of the prices below shows (a fee for each search).
FEES = ("input_cost_per_query", "ocr_cost_per_page", "code_interpreter_cost_per_session")
SEARCH_FEE = "search_context_cost_per_query"
ALWAYS_SEARCHES = {"perplexity"}

# Prices of tokens by letter; the first key that is present counts.
PRICES = {
    "i": ("input_cost_per_token",), "o": ("output_cost_per_token",),
    "c": ("cache_read_input_token_cost", "input_cost_per_token_cache_hit"),
    "w": ("cache_creation_input_token_cost",), "h": ("cache_creation_input_token_cost_above_1hr",),
    "r": ("output_cost_per_reasoning_token",),
    "a": ("input_cost_per_audio_token",), "b": ("output_cost_per_audio_token",),
    "e": ("cache_read_input_audio_token_cost",),
    "m": ("input_cost_per_image_token",), "n": ("output_cost_per_image_token",),
}  # fmt: skip
# Prices of other units; they have no tiers. `q` is a price of each request.
UNITS = {
    "q": ("input_cost_per_request",), "g": ("input_cost_per_image",), "p": ("output_cost_per_image",),
    "s": ("input_cost_per_second",), "z": ("output_cost_per_second",),
    "x": ("input_cost_per_character",), "y": ("output_cost_per_character",),
}  # fmt: skip
# What a request can be served as, by the ending of the source's keys.
SERVICES = {"batch": "_batches", "flex": "_flex", "priority": "_priority"}
TIER = re.compile(r"_above_(\d+)k_tokens(_batches|_flex|_priority)?$")

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


def femto(value, where, unit=False):
    """The price in 1e-15 USD, exactly. Where that is not possible: `None` for a unit that is no token (a price of a
    minute, divided by 60), and the end of the script for a token."""
    exact = Decimal(value) * FEMTO
    whole = exact.to_integral_value()
    if exact != whole and abs(exact - whole) > exact * ROUNDING:
        if unit:
            return None
        sys.exit(f"{where}: {value} USD is not a whole number of 1e-15 USD")
    if not 0 <= whole < 2**63:
        sys.exit(f"{where}: {value} USD is out of range")
    return int(whole)


def per_million(units):
    """Femto-dollars per unit as decimal USD per million units: 150000000 is 0.15."""
    text = f"{units // 10**9}.{units % 10**9:09d}".rstrip("0").rstrip(".")
    return text.removeprefix("0") if text.startswith("0.") else text


def priced(row, suffix, where, table=PRICES):
    """The prices of one tier, by letter. The suffix stands at the end of the source's keys."""
    found = {}
    for letter, keys in table.items():
        value = next((row[key + suffix] for key in keys if row.get(key + suffix) is not None), None)
        if value is not None and (value or letter in "io"):  # 0 for the other kinds: "not known"
            found[letter] = femto(value, f"{where} {keys[0]}{suffix}", table is UNITS)
    return {letter: price for letter, price in found.items() if price is not None}


def tiers(row, where, service=""):
    """[(above this many input tokens, prices)], the base first with 0. Fixed ranges are standard service's."""
    ranges = [t for t in row.get("tiered_pricing") or [] if "range" in t]
    if ranges and not service:
        found = [(int(Decimal(t["range"][0])), priced(t, "", where)) for t in ranges]
        if found[0][0] != 0:
            sys.exit(f"{where}: the first tier does not begin at 0")
        base = priced(row, "", where)
        return [(0, base | found[0][1])] + sorted(found[1:], key=lambda tier: tier[0])
    found = [(0, priced(row, service, where))]
    bounds = {int(m[1]) for key in row if (m := TIER.search(key)) and (m[2] or "") == service}
    for thousands in sorted(bounds):
        above = priced(row, f"_above_{thousands}k_tokens{service}", where)
        if above:
            found.append((thousands * 1000, above))
    if not service:
        return [found[0]] + [(above, thinking(prices, found[0][1])) for above, prices in found[1:]]
    return found


def thinking(found, base):
    """Where output is priced anew, reasoning that has a price of its own is priced with it."""
    return found | {"r": found["o"]} if "r" in base and "o" in found and "r" not in found else found


def words(found):
    """`i1.25 o10 >200000 i2.5 o15`"""
    parts = []
    for above, prices in found:
        parts += [f">{above}"] if above else []
        parts += [f"{letter}{per_million(price)}" for letter, price in prices.items()]
    return parts


def served(standard, offered):
    """A service's tiers as they are written: the base as offered, each tier as it differs from the base. A kind that
    a service does not price costs the usual. Where it has no price for a tier that is usual, the dearer one counts:
    its own base, or the usual tier."""
    offered = {above: thinking(prices, standard[0]) for above, prices in offered.items()}
    base = standard[0] | offered[0]
    written = [(0, offered[0])]
    for above in sorted((standard.keys() | offered.keys()) - {0}):
        usual = {k: price for k, price in standard.get(above, {}).items() if price != standard[0].get(k)}
        dearer = {kind: max(price, base.get(kind, 0)) for kind, price in usual.items()}
        prices = base | dearer | offered.get(above, {})
        other = {k: price for k, price in prices.items() if price != base.get(k)}
        if other or len(written) > 1:
            written.append((above, other))
    return written


def with_usual_cache(provider, mode, base):
    """Fireworks reads from its cache at half the price of input, wherever it lists no price of its own."""
    half = base.get("i", 0) / 2
    if provider != "fireworks_ai" or mode not in "ctr" or "c" in base or not half or half != int(half):
        return base
    return base | {"c": int(half)}


def price_text(name, provider, row):
    """`i.15 o.6 c.075 >200000 i.3 o1.2 @batch i.075 o.3`, or nothing where the price is not known."""
    if provider in INEXACT:
        return ""
    found, units = tiers(row, name), priced(row, "", name, UNITS)
    mode = MODES[row["mode"]]
    base = with_usual_cache(provider, mode, found[0][1])
    found[0] = (0, base)
    tokens = "i" in base and ("o" in base or mode in "ekm")
    if mode in "ctrel" and not tokens:
        return ""
    charged = any(price for _, prices in found for price in prices.values())
    if not charged and not units:
        free = provider in FREE_PROVIDERS and not PAID_CLOUD.search(name)
        return "i0 o0" if mode in "ctre" and (free or FREE.match(name)) else ""
    # Where a picture or a second has the price, 0 for a token is no price.
    if not charged:
        found = [(0, {})]
    found[0] = (0, found[0][1] | units)
    parts = words(found)
    for service, ending in SERVICES.items():
        offered = tiers(row, name, ending)
        if any(price for _, prices in offered for price in prices.values()):
            parts += [f"@{service}", *words(served(dict(found), dict(offered)))]
    return " ".join(parts)


def tokens(row, key):
    """A token count as text; empty where it is not known."""
    value = row.get(key)
    if value in (None, "") or not re.fullmatch(r"\d+(\.0)?", str(value)):
        return ""
    return str(int(Decimal(str(value)))) if Decimal(str(value)) > 0 else ""


def capabilities(provider, row):
    """The letters of what the model can do; `$` where it is charged for more than its prices show."""
    found = {letter for letter, key in CAPABILITIES.items() if row.get(key) is True}
    if MODES[row["mode"]] in "ctrl":
        found |= {INPUTS[m] for m in row.get("supported_modalities") or [] if m in INPUTS}
        found |= {OUTPUTS[m] for m in row.get("supported_output_modalities") or [] if m in OUTPUTS}
    fee = any(row.get(key) for key in FEES) or (provider in ALWAYS_SEARCHES and row.get(SEARCH_FEE))
    letters = [letter for letter in (*CAPABILITIES, "g") if letter in found]
    return "".join(letters) + ("$" if fee else "")


def read(source, counts):
    """{(provider, model): [mode, class, input, output, capabilities, prices, date]} of all rows that are models."""
    found = {}
    for name, row in source.items():
        mode = MODES.get(row.get("mode"))
        if mode is None or NOT_MODELS.search(name):
            priced_only = NOT_MODELS.search(name) is not None
            counts["price of a size, a commitment or a container" if priced_only
                   else f"not inference ({row.get('mode') or 'no purpose'})"] += 1  # fmt: skip
            continue
        given = row["litellm_provider"]
        provider = provider_of(given)
        prefix = next((p for p in (f"{provider}/", f"{given}/") if name.startswith(p)), "")
        model = name[len(prefix):]
        if re.search(r"[\t\n]", provider + model) or not model.isascii():
            sys.exit(f"{name!r}: a name with a tab, a line break or beyond ASCII")
        date = str(row.get("deprecation_date") or "")
        if date and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
            sys.exit(f"{name}: deprecation date {date!r}")
        prices = price_text(name, provider, row)
        output = row.get("output_cost_per_token")
        kind = class_of(mode, model, float(output) * 1e6 if output else None)
        line = [mode, kind, tokens(row, "max_input_tokens"), tokens(row, "max_output_tokens"),
                capabilities(provider, row), prices, date]  # fmt: skip
        # Two rows for one model: one with a price counts before one without, then the row that
        # carries the provider's prefix (those are the maintained ones).
        key, rank = (provider, model), (bool(prices), bool(prefix))
        other = found.get(key)
        if other:
            counts["second row of a model"] += 1
            if other[1][5] != prices:
                taken = max((rank, line), other)[1][5]
                print(f"{name}: two prices, {other[1][5]!r} and {prices!r}; took {taken!r}", file=sys.stderr)
        if other is None or rank > other[0]:
            found[key] = (rank, line)
    return {key: line for key, (_, line) in found.items()}


def region_twins(models):
    """{twin: model} for names that only say where a model runs. Where the plain name is not listed, the one that
    runs everywhere, else the first, stands for all."""
    groups = defaultdict(list)
    for provider, model in models:
        groups[provider, without_region(provider, model)].append(model)
    twins = {}
    for (provider, plain), names in groups.items():
        chosen = plain if plain in names else min(names, key=lambda n: ("global" not in n, not n.startswith("us"), len(n), n))
        twins |= {(provider, name): chosen for name in names if name != chosen}
    return twins


def alias_twins(models):
    """{twin: model} for further names of a model that has the same purpose, class and prices: another case, a path
    before it, a date or `latest`. The plain name is the model, or else `latest`; two dates alone are two models."""
    groups = defaultdict(list)
    for (provider, model), line in models.items():
        groups[provider, family(model), line[0], line[1], line[5]].append(model)
    twins = {}
    for (provider, plain, *_), names in groups.items():
        undated = [name for name in names if dated(name) is None] or [n for n in names if dated(n) == "latest"]
        if undated:
            # What a provider's own path leads to is what it answers to.
            chosen = min(undated, key=lambda n: (not n.startswith("accounts/"), n.lower() != plain, len(n), n))
            twins |= {(provider, name): chosen for name in names if name != chosen}
    return twins


def lines(source, counts):
    """All lines, sorted by provider and model as bytes."""
    models = read(source, counts)
    regions = region_twins(models)
    kept = {key: line for key, line in models.items() if key not in regions}
    aliases = alias_twins(kept)
    counts["region twin"], counts["alias twin"] = len(regions), len(aliases)
    counts["model"] = len(kept) - len(aliases)
    written = []
    for key in sorted(models, key=lambda key: (key[0].encode(), key[1].encode())):
        provider, model = key
        line, target = models[key], regions.get(key) or aliases.get(key)
        if target is None:
            written.append("\t".join([provider, model, *line]))
            continue
        final = aliases.get((provider, target), target)
        prices = line[5] if line[5] != models[provider, final][5] else ""
        date = line[6] if line[6] != models[provider, final][6] else ""
        kind = "region" if key in regions else "alias"
        written.append("\t".join([provider, model, f"={final}", kind, prices, date]).rstrip("\t"))
    return written


def text(source, counts):
    """The whole file, for rows whose numbers are decimals."""
    body = "".join(line + "\n" for line in lines(source, counts))
    version = int.from_bytes(hashlib.sha256(body.encode()).digest()[:4], "big")
    return f"# catalogue 2 {version} {SOURCE}\n{body}"


def main():
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    if len(arguments) != 1:
        sys.exit(__doc__.strip())
    path = Path(arguments[0])
    path = path / "catalogue/model_prices.json.gz" if path.is_dir() else path
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else open(path, encoding="utf-8") as file:
        source = json.load(file, parse_float=Decimal)
    counts = Counter()
    derived = text(source, counts)
    if "--check" in sys.argv:
        sys.exit(0 if OUTPUT.read_text(encoding="utf-8") == derived else f"{OUTPUT} is out of date")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(derived, encoding="utf-8")
    providers = {line.split("\t", 1)[0] for line in derived.splitlines()[1:]}
    print(f"{OUTPUT.name}: {len(source)} rows of {len(providers)} providers, {len(derived)} bytes")
    for what, count in sorted(counts.items(), key=lambda item: -item[1]):
        print(f"{count:>6}  {what}")


if __name__ == "__main__":
    main()
