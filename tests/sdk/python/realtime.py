"""Realtime sessions over WebSockets. Run apart from the others, against a scripted provider: LIVE_MODEL names it."""

import base64
import json
import os

import websockets.sync.client as plain
from websockets.exceptions import InvalidStatus

from suite import API_KEY, BASE_URL, async_client, case, client, expect, raises

LIVE_MODEL = os.environ["LIVE_MODEL"]
# What the scripted provider reports for every answer.
TOKENS = 16


def target(event) -> str:
    """The path and query that the session was opened with upstream."""
    return event.session.model


@case
def opens_a_session_and_hears_an_answer() -> None:
    with client().realtime.connect(model=LIVE_MODEL) as connection:
        created = connection.recv()
        expect(created.type == "session.created", created)
        expect(target(created) == "/v1/realtime?model=m", created)
        for _ in range(3):
            connection.response.create()
            kinds = []
            for event in connection:
                kinds.append(event.type)
                if event.type == "response.done":
                    expect(event.response.usage.total_tokens == TOKENS, event)
                    break
            expect(kinds == ["response.created", "response.output_text.delta", "response.done"], kinds)


@case
async def opens_a_session_asynchronously() -> None:
    async with async_client() as openai, openai.realtime.connect(model=LIVE_MODEL) as connection:
        expect((await connection.recv()).type == "session.created", "the first event")
        await connection.response.create()
        async for event in connection:
            if event.type == "response.done":
                expect(event.response.usage.total_tokens == TOKENS, event)
                break


@case
def carries_long_audio() -> None:
    audio = base64.b64encode(bytes(range(256)) * 8192).decode()
    with client().realtime.connect(model=LIVE_MODEL) as connection:
        connection.recv()
        for _ in range(3):
            connection.input_audio_buffer.append(audio=audio)
            event = connection.recv()
            expect(event.type == "input_audio_buffer.committed" and event.item_id == str(len(audio)), event)


@case
def opens_a_session_that_transcribes() -> None:
    query, headers = {"intent": "transcription"}, {"x-pointsman-model": LIVE_MODEL}
    with client().realtime.connect(extra_query=query, extra_headers=headers) as connection:
        expect(target(connection.recv()) == "/v1/realtime?model=m&intent=transcription", "another target")


@case
def takes_the_key_where_browsers_put_it() -> None:
    url = f"{BASE_URL.replace('http', 'ws', 1)}/realtime?model={LIVE_MODEL}"
    protocols = ["realtime", f"openai-insecure-api-key.{API_KEY}"]
    with plain.connect(url, subprotocols=protocols, proxy=None) as connection:
        expect(connection.subprotocol == "realtime", connection.subprotocol)
        expect(json.loads(connection.recv())["type"] == "session.created", "the first event")
        expect(connection.ping().wait(10), "a pong")


def refusal(openai, model: str) -> tuple[int, str]:
    """Status and code of a session that is not opened."""
    error = raises(InvalidStatus, lambda: openai.realtime.connect(model=model).enter())
    return error.response.status_code, json.loads(error.response.body)["error"]["code"]


@case
def refuses_in_the_usual_shape() -> None:
    expect(refusal(client(), "no-such-model") == (404, "model_not_found"), "unknown model")
    expect(refusal(client(api_key="not-a-key"), LIVE_MODEL) == (401, "invalid_api_key"), "wrong key")
    expect(refusal(client(), "gone/m") == (502, "upstream_unavailable"), "a provider that is not there")
