"""Compares the catalogue's costs of 1,000 random usages with litellm's `cost_per_token`, number by number; and of a random
number of pictures, seconds or characters for every model that is paid by them, with its `completion_cost`.

    compare_costs.py [--count N] [--seed N] [--show]

litellm (pinned, with the price list that the catalogue is derived from) computes in binary floating point, the
catalogue exactly; both must agree to the nano-dollar, or a rule in cost_rules.py must explain why not, and the
rule must then predict litellm's number too. A difference that no rule explains fails the run. Usages are drawn by
a fixed seed over all models that litellm prices by tokens, every kind of token in them. And the catalogue must be
what derive_catalogue.py makes of that list.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path

import derive_catalogue
import fetch
import parts
from catalogue_rules import NOT_MODELS, provider_of

ROOT = fetch.ROOT
TOKEN_MODES = {"chat", "responses", "completion", "embedding", "realtime"}
SERVICES = ("standard", "standard", "flex", "priority")
# litellm adds floats: what is left of 15 digits after some ten operations.
RELATIVE = 1e-11
NANO = 1e-9


@dataclass
class Use:
    """One random usage of one model; input includes cached, written, audio and pictures, output likewise."""

    name: str
    given: str
    service: str
    input: int = 0
    cached: int = 0
    written: int = 0
    written_1h: int = 0
    output: int = 0
    reasoning: int = 0
    audio_in: int = 0
    audio_out: int = 0
    image_in: int = 0
    image_out: int = 0
    pictures: int = 0
    heard_ms: int = 0
    characters: int = 0

    def line(self) -> str:
        """As the catalogue's example reads it."""
        provider = provider_of(self.given)
        prefix = next((p for p in (f"{provider}/", f"{self.given}/") if self.name.startswith(p)), "")
        counts = [str(getattr(self, field.name)) for field in fields(self)[3:]]
        return "\t".join([provider, self.name[len(prefix):], self.service, *counts])


def draw(rng: random.Random, rows: dict, count: int) -> list[Use]:
    """Random usages whose parts never exceed their whole."""
    names = sorted(name for name, row in rows.items() if usable(name, row))
    uses = []
    for _ in range(count):
        name = rng.choice(names)
        row = rows[name]
        long = rng.random() < 0.3
        use = Use(name, row["litellm_provider"], rng.choice(SERVICES), rng.randint(10, 900_000 if long else 50_000))
        left = use.input
        if rng.random() < 0.6:
            use.cached = rng.randint(0, left)
            left -= use.cached
        if rng.random() < 0.4:
            use.written = rng.randint(0, left)
            left -= use.written
            use.written_1h = rng.randint(0, use.written) if rng.random() < 0.5 else 0
        if rng.random() < 0.3:
            use.audio_in = rng.randint(0, left)
            left -= use.audio_in
        if rng.random() < 0.2:
            use.image_in = rng.randint(0, left)
        if row["mode"] != "embedding":
            use.output = left = rng.randint(1, 20_000)
            for kind, chance in (("reasoning", 0.4), ("audio_out", 0.2), ("image_out", 0.1)):
                if rng.random() < chance:
                    setattr(use, kind, rng.randint(0, left))
                    left -= getattr(use, kind)
        uses.append(use)
    return uses


def usable(name: str, row: dict) -> bool:
    """A model that is priced by tokens."""
    return (
        row.get("mode") in TOKEN_MODES and not NOT_MODELS.search(name)
        and bool(row.get("input_cost_per_token") or row.get("output_cost_per_token"))
    )  # fmt: skip


def ours(uses: list[Use]) -> list[int | None]:
    """Nano-dollars by the catalogue; `None` where it has no price."""
    build = ["cargo", "build", "--locked", "--quiet", "-p", "pointsman-providers", "--example", "cost"]
    subprocess.run(build, cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    text = "".join(use.line() + "\n" for use in uses)
    done = subprocess.run([target / "debug/examples/cost"], input=text, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    if len(lines) != len(uses):
        raise RuntimeError(f"{len(lines)} costs for {len(uses)} usages")
    return [None if line == "-" else int(line) for line in lines]


def theirs(use: Use) -> float:
    """Dollars by litellm."""
    import litellm
    from litellm.types.utils import (
        CacheCreationTokenDetails,
        CompletionTokensDetailsWrapper,
        PromptTokensDetailsWrapper,
        Usage,
    )

    lifetimes = CacheCreationTokenDetails(
        ephemeral_5m_input_tokens=use.written - use.written_1h, ephemeral_1h_input_tokens=use.written_1h
    )
    usage = Usage(
        prompt_tokens=use.input, completion_tokens=use.output, total_tokens=use.input + use.output,
        prompt_tokens_details=PromptTokensDetailsWrapper(
            cached_tokens=use.cached, cache_creation_tokens=use.written,
            cache_creation_token_details=lifetimes if use.written else None,
            audio_tokens=use.audio_in, image_tokens=use.image_in,
        ),
        completion_tokens_details=CompletionTokensDetailsWrapper(
            reasoning_tokens=use.reasoning, audio_tokens=use.audio_out, image_tokens=use.image_out
        ),
    )  # fmt: skip
    service = None if use.service == "standard" else use.service
    cost = litellm.cost_per_token(
        model=use.name, custom_llm_provider=use.given, usage_object=usage, service_tier=service
    )
    return float(sum(cost))


def pieces(rng: random.Random, rows: dict) -> list[Use]:
    """A usage of every model that is paid by pictures made, seconds heard or characters spoken."""
    uses = []
    for name, row in rows.items():
        mode, given = row.get("mode"), row.get("litellm_provider")
        priced = lambda *kinds, row=row: any(row.get(f"{side}_cost_per_{kind}") for side in ("input", "output") for kind in kinds)
        if NOT_MODELS.search(name):
            continue
        if mode == "image_generation" and priced("image"):
            uses.append(Use(name, given, "standard", pictures=rng.randint(1, 9)))
        elif mode == "audio_transcription" and priced("second"):
            uses.append(Use(name, given, "standard", heard_ms=1000 * rng.randint(1, 3600)))
        elif mode == "audio_speech" and row.get("input_cost_per_character"):
            uses.append(Use(name, given, "standard", characters=rng.randint(1, 4000)))
    return uses


def theirs_of_pieces(use: Use) -> float:
    """Dollars by litellm."""
    import litellm
    from litellm.types.utils import ImageObject, ImageResponse, TranscriptionResponse

    answer, asked = None, {"model": use.name, "custom_llm_provider": use.given}
    if use.pictures:
        answer = ImageResponse(created=1, data=[ImageObject(b64_json="AA==") for _ in range(use.pictures)])
        return float(litellm.completion_cost(completion_response=answer, call_type="image_generation", **asked))
    if use.heard_ms:
        answer = TranscriptionResponse(text="")
        answer.duration = use.heard_ms / 1000
        return float(litellm.completion_cost(completion_response=answer, call_type="transcription", **asked))
    return float(litellm.completion_cost(call_type="speech", prompt="x" * use.characters, **asked))


def same(nanos: int | None, dollars: float) -> bool:
    """Equal to the nano-dollar, but for what floats lose."""
    return nanos is not None and abs(nanos * NANO - dollars) <= 0.5001 * NANO + RELATIVE * abs(dollars)


def main() -> int:
    """Command line; exit code 0 where every difference is explained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--show", action="store_true", help="print every difference")
    wanted = parser.parse_args()
    with fetch.locked("parts"):
        python = parts.litellm()
    if Path(sys.prefix) != python.parent.parent:
        # litellm must not look for a newer list.
        environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        return subprocess.run([str(python), *sys.argv], env=environment, check=False).returncode
    import litellm
    from cost_rules import explain, explain_pieces

    source = Path(litellm.__file__).parent / "model_prices_and_context_window_backup.json"
    listed = source.read_text(encoding="utf-8")
    with contextlib.redirect_stderr(io.StringIO()):  # what it says of odd rows is for who derives
        derived = derive_catalogue.text(json.loads(listed, parse_float=Decimal), Counter())
    if derived != derive_catalogue.OUTPUT.read_text(encoding="utf-8"):
        print(f"error: {derive_catalogue.OUTPUT} is not what scripts/derive_catalogue.py makes of {source}")
        return 1
    rows = json.loads(listed)
    # Discounts by the hour would make the result depend on when it is computed; neither side gets them.
    discounted = [row for row in (*rows.values(), *litellm.model_cost.values()) if row.pop("off_peak_pricing", None)]
    litellm.suppress_debug_info = True
    alike = defaultdict(list)
    for name, row in rows.items():
        alike[provider_of(row.get("litellm_provider") or ""), name.rsplit("/", 1)[-1]].append(row)
    uses = draw(random.Random(wanted.seed), rows, wanted.count)
    verdicts: Counter[str] = Counter()
    for use, nanos in zip(uses, ours(uses), strict=True):
        dollars = theirs(use)
        verdict = "equal" if same(nanos, dollars) else explain(
            use, rows[use.name], nanos, dollars, alike[provider_of(use.given), use.name.rsplit("/", 1)[-1]]
        )
        verdicts[verdict or "NOT EXPLAINED"] += 1
        if verdict is None or (wanted.show and verdict != "equal"):
            print(f"{verdict}: {use} {nanos} {dollars * 1e9:.3f}")
    of_pieces: Counter[str] = Counter()
    uses = pieces(random.Random(wanted.seed), rows)
    for use, nanos in zip(uses, ours(uses), strict=True):
        dollars = theirs_of_pieces(use)
        verdict = "equal, by the piece" if same(nanos, dollars) else explain_pieces(use, rows[use.name], nanos, dollars)
        of_pieces[verdict or "NOT EXPLAINED"] += 1
        if verdict is None or (wanted.show and not verdict.startswith("equal")):
            print(f"{verdict}: {use} {nanos} {dollars * 1e9:.3f}")
    for verdict, count in [*verdicts.most_common(), *of_pieces.most_common()]:
        print(f"{count:>6}  {verdict}")
    print(f"{len(discounted) // 2:>6}  models have discounts by the hour, which are left out on both sides")
    print(f"note-for-summary: {verdicts['equal']} of {wanted.count} random costs equal litellm's, "
          f"{wanted.count - verdicts['equal'] - verdicts['NOT EXPLAINED']} differ by a stated rule; "
          f"by the piece {of_pieces['equal, by the piece']} of {len(uses)}")  # fmt: skip
    return 1 if verdicts["NOT EXPLAINED"] or of_pieces["NOT EXPLAINED"] else 0


if __name__ == "__main__":
    sys.exit(main())
