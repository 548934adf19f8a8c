"""The rules by which derive_catalogue.py names, sorts out and classifies models. docs/catalogue.md tells them.

Nothing here reads or writes a file: every function takes names and rows, so that a rule can be tried alone.
"""

from __future__ import annotations

import re

# The source has several names for one provider.
PROVIDERS = {
    "text-completion-openai": "openai", "text-completion-codestral": "codestral",
    "text-completion-inception": "inception", "cohere_chat": "cohere", "azure_text": "azure",
    "fireworks_ai-embedding-models": "fireworks_ai", "bedrock_converse": "bedrock",
}  # fmt: skip

# What the source calls a model's purpose, and the letter of it here. Every other purpose (video, search, OCR,
# evaluation, ...) is nothing that Pointsman's endpoints serve: counted, not listed.
MODES = {
    "chat": "c", "responses": "r", "completion": "t", "embedding": "e", "image_generation": "i",
    "image_edit": "i", "audio_transcription": "x", "audio_speech": "s", "rerank": "k", "moderation": "m",
    "realtime": "l",
}  # fmt: skip

# Price classes, capacity reservations, sizes of pictures and containers: rows that are not models.
NOT_MODELS = re.compile(
    r"^(fireworks|together)-ai-|(^|/)container$|^fallback_generalizations$|^sample_spec$"
    r"|-month-commitment/|(^|/)\d+-x-\d+/|(^|/)max-x-max/|/\d+-steps/|^(standard|hd|low|medium|high|auto)/|-steps?/"
    r"|/(standard|hd|low|medium|high)/|databricks-.*-throughput$"
)

# Regions in names: a path before the model (bedrock, azure), a prefix of it (bedrock's inference profiles), a
# suffix (fireworks). The model is the same, and so is what is sent, but for the place where it runs.
REGION_PATH = re.compile(
    r"^(\*|(us|eu|ap|apac|sa|ca|me|af|il|mx|cn|jp|in|au|uk|us-gov)(-gov)?-[a-z]+-\d+|us|eu|apac|us-gov|uk|global|global-standard"
    r"|datazone|data-zone|invoke)/"
)
REGION_PREFIX = re.compile(r"^(global|us|eu|apac|au|jp|in|ca|sa|uk|me|us-gov)\.(?=[a-z0-9-]+\.)")
REGION_SUFFIX = re.compile(r"-(us|eu|ap)$")

# A dated name, or one that means "the newest", beside the plain one.
DATED = re.compile(r"[-@](20\d{2}-\d{2}-\d{2}|20\d{6}|latest|default)$|[-@](0\d{3}|1[0-2]\d{2}|2[4-6]\d{2}|00\d)$")

EMBEDDING, GUARD, CODER, REASONING, FLASH, FRONTIER, STANDARD = (
    "embedding", "guard", "coder", "reasoning", "flash", "frontier", "standard",
)  # fmt: skip
BY_MODE = {
    "t": "completion", "e": EMBEDDING, "i": "image", "x": "transcription", "s": "speech", "k": "rerank", "m": GUARD,
    "l": "realtime",
}  # fmt: skip

GUARDS = re.compile(r"guard|shield|moderation|prompt-injection")
CODERS = re.compile(r"cod(e|er|estral|ex)(?![a-z])|codellama|codegemma|devstral|starcoder|kat-coder|swe-|^v0-|morph-")
# What thinks before every answer and is sold for that.
THINKERS = re.compile(
    r"(^|[/.-])(o[134])(?![a-z0-9])|deepseek[-.]?r\d|(^|[/-])r1(?![a-z0-9])|qwq|qvq|magistral|(?<!non-)(?<!no-)reason(er|ing)"
    r"|(?<!non-)(?<!no-)thinking|deep-?think|deep-?research|phi-4-reasoning"
)
FAST = re.compile(
    r"flash|(?<!ge)mini(?!max|stral|cpm)|nano|lite(?![a-z])|haiku|small|tiny|micro(?!soft)|instant|(?<![a-z])fast(?![a-z])|(?<![a-z])air(?![a-z])"
    r"|ministral|luna(?![a-z])|glimmer|lightning|highspeed|turbo-?s"
)
# Fourteen billion parameters or fewer, as the name has it; of a mixture, the active ones do not make it small.
SIZE = re.compile(r"(?<![a-z0-9.x])(\d+(?:[.p]\d+)?)b(?![a-z0-9])")
SMALL_BILLIONS = 14.0
# The best general models of their makers in the last two generations.
LEADERS = re.compile(
    r"(?:opus|sonnet)-[4-9]|claude-[4-9]-(?:sonnet|opus)|mythos|fable|gpt-?(?:[5-9])(?![0-9]*b)(?!.*chat)|gpt-4\.5"
    r"|gemini-(?:2\.5|[3-9](?:\.\d)?)-pro|grok-[4-9]|kimi-k[2-9]|deepseek[-.]?v(?:3[.p][1-9]|[4-9])|glm-(?:4[.p][5-9]|[5-9])"
    r"|qwen3?(?:[.-]\d+)?-max|qwen3-235b|mistral-large-(?:3|25|26)|llama-?4-maverick|llama4-maverick|muse-(?!glimmer)|minimax-m[2-9]"
    r"|nova-premier|nova-2-pro|command-a"
)


def provider_of(given: str) -> str:
    """The provider's one name."""
    return "vertex_ai" if given.startswith("vertex_ai-") else PROVIDERS.get(given, given)


def without_region(provider: str, model: str) -> str:
    """The name of the same model wherever it runs; `model` itself where it names no region."""
    if provider in ("bedrock", "azure", "azure_ai", "vertex_ai", "bedrock_mantle", "sagemaker"):
        return REGION_PREFIX.sub("", REGION_PATH.sub("", model))
    if provider == "fireworks_ai" and "/routers/" in model:
        return REGION_SUFFIX.sub("", model)
    return model


def dated(model: str) -> str | None:
    """The date or `latest` at the end of a name."""
    found = DATED.search(model.lower())
    return (found[1] or found[2]) if found else None


def family(model: str) -> str:
    """The name without a date or `latest`, and without what a provider puts before all of its names."""
    plain = re.sub(r"^accounts/fireworks/(models|routers)/", "", model)
    plain = re.sub(r"-v\d+(:\d+)?$", "", plain) if re.match(r"^[a-z0-9]+\.", plain) else plain
    return DATED.sub("", plain).lower().replace("_", "-")


def class_of(mode: str, model: str, output_usd_per_million: float | None) -> str:
    """The class of a model: by purpose, else by the first rule that its name meets. A leader's name does not make a
    frontier model of what costs less than a dollar a million tokens of output."""
    if mode in BY_MODE:
        return BY_MODE[mode]
    name = model.lower().rsplit("/", 1)[-1]
    sizes = [float(size.replace("p", ".")) for size in SIZE.findall(name)]
    small = bool(sizes) and max(sizes) <= SMALL_BILLIONS
    for rule, found in ((GUARDS, GUARD), (CODERS, CODER), (THINKERS, REASONING), (FAST, FLASH)):
        # The fast serving of the largest model is no small model.
        if rule.search(name) and not (found is FLASH and "opus" in name):
            return found
    if small:
        return FLASH
    cheap = output_usd_per_million is not None and output_usd_per_million < 1
    return FRONTIER if LEADERS.search(name) and not cheap else STANDARD
