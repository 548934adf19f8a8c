"""Images, audio and moderations: JSON and forms in, JSON, text and bytes out."""

import base64
import io

from openai import NotFoundError

from suite import MEDIA_MODEL, async_client, case, client, expect, raises

SOUND = b"\xff\xfb\x00\x0a\x0d" * 20_000
UPSTREAM_MODEL = MEDIA_MODEL.split("/", 1)[-1]


def recording(text: str = "a recording") -> tuple[str, io.BytesIO, str]:
    """A file as the SDK takes it. The scripted provider repeats its content."""
    return ("a.mp3", io.BytesIO(text.encode()), "audio/mpeg")


@case
def moderates() -> None:
    answer = client().moderations.create(model=MEDIA_MODEL, input="bad")
    expect(answer.results[0].flagged and answer.model == UPSTREAM_MODEL, answer)
    expect(not client().moderations.create(model=MEDIA_MODEL, input="good").results[0].flagged, "good is good")


@case
def makes_images() -> None:
    answer = client().images.generate(model=MEDIA_MODEL, prompt="a cat", n=1)
    expect(base64.b64decode(answer.data[0].b64_json).startswith(b"\x89PNG"), answer)
    expect(answer.usage.total_tokens == 16, answer.usage)


@case
def edits_images() -> None:
    image = ("cat.png", io.BytesIO(b"\x89PNG" * 50_000), "image/png")
    answer = client().images.edit(model=MEDIA_MODEL, image=image, prompt="two cats")
    expect(answer.data[0].b64_json == "two cats", answer)


@case
def transcribes_an_upload() -> None:
    answer = client().audio.transcriptions.create(model=MEDIA_MODEL, file=recording())
    expect(answer.text == f"{UPSTREAM_MODEL} of a recording", answer)


@case
def transcribes_a_long_upload_as_text() -> None:
    spoken = "long " * 200_000
    answer = client().audio.transcriptions.create(
        model=MEDIA_MODEL, file=recording(spoken), response_format="text"
    )
    expect(answer == f"{UPSTREAM_MODEL} of {spoken}\n", (len(answer), answer[:80]))


@case
async def translates_asynchronously() -> None:
    async with async_client() as openai:
        answer = await openai.audio.translations.create(model=MEDIA_MODEL, file=recording("eine Aufnahme"))
    expect(answer.text == f"{UPSTREAM_MODEL} of eine Aufnahme", answer)


@case
def downloads_speech() -> None:
    answer = client().audio.speech.create(model=MEDIA_MODEL, voice="alloy", input="hello")
    expect(answer.read() == SOUND, len(answer.content))
    expect(answer.response.headers["content-type"] == "audio/mpeg", dict(answer.response.headers))


@case
def streams_speech() -> None:
    speech = client().audio.speech.with_streaming_response
    with speech.create(model=MEDIA_MODEL, voice="alloy", input="hello") as response:
        parts = list(response.iter_bytes())
    expect(b"".join(parts) == SOUND and len(parts) > 1, [len(part) for part in parts])


@case
def errors_are_those_of_chat() -> None:
    error = raises(
        NotFoundError, lambda: client().audio.transcriptions.create(model="media/none", file=recording())
    )
    expect(error.code == "model_not_found" and error.param == "model", error.body)
