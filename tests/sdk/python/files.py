"""Files and batches: made, found, listed, read and deleted through the SDK."""

import io
import json

from openai import BadRequestError, NotFoundError, PermissionDeniedError

from suite import LIMITED_KEY, MEDIA_MODEL, MODEL, case, client, expect, raises

PROVIDER = {"x-pointsman-provider": MEDIA_MODEL.split("/", 1)[0]}
LINE = json.dumps({"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {}}) + "\n"


def upload(purpose: str = "batch", content: str = LINE, headers: dict[str, str] | None = None) -> object:
    """A new file at the scripted provider."""
    file = ("input.jsonl", io.BytesIO(content.encode()))
    return client().files.create(file=file, purpose=purpose, extra_headers=headers or PROVIDER)


@case
def a_file_lives_and_ends() -> None:
    made = upload(content=LINE * 1000)
    expect(made.bytes == len(LINE) * 1000 and made.purpose == "batch", made)
    expect(client().files.retrieve(made.id) == made, "found again")
    expect(client().files.content(made.id).text == LINE * 1000, "its content")
    expect(client().files.delete(made.id).deleted, "deleted")
    error = raises(NotFoundError, lambda: client().files.retrieve(made.id))
    expect(error.code == "object_not_found", error.body)


@case
def a_model_names_the_provider_as_well() -> None:
    made = upload(headers={"x-pointsman-provider": MEDIA_MODEL})
    expect(made.id, made)
    client().files.delete(made.id)


@case
def without_a_provider_the_choices_are_told() -> None:
    file = ("x", io.BytesIO(b"x"))
    error = raises(BadRequestError, lambda: client().files.create(file=file, purpose="batch"))
    expect(PROVIDER["x-pointsman-provider"] in error.message and MODEL.split("/")[0] in error.message, error.body)


@case
def lists_come_in_pages() -> None:
    made = [upload(purpose="vision"), upload(purpose="evals"), upload(purpose="vision")]
    pages = list(client().files.list(purpose="vision", limit=1))
    expect([file.id for file in pages] == [made[2].id, made[0].id], pages)
    first = client().files.list(limit=2, order="asc")
    expect(len(first.data) == 2 and first.has_more and first.has_next_page(), first)
    rest = [file.id for file in client().files.list(after=made[1].id, order="asc")]
    expect(rest == [made[2].id], rest)
    for file in made:
        client().files.delete(file.id)


@case
def a_key_for_one_model_has_no_files() -> None:
    error = raises(PermissionDeniedError, lambda: client(api_key=LIMITED_KEY).files.list())
    expect(error.code == "model_not_allowed", error.body)


@case
def a_batch_goes_where_its_input_is() -> None:
    source = upload()
    batches = client().batches
    made = batches.create(input_file_id=source.id, endpoint="/v1/chat/completions", completion_window="24h")
    expect(made.status == "validating" and made.input_file_id == source.id, made)
    done = batches.retrieve(made.id)
    expect(done.status == "completed", done)
    expect(client().files.content(done.output_file_id).text == '{"id":"out"}\n', "its output is the caller's")
    expect([batch.id for batch in batches.list(limit=1)] == [made.id], "in the list")
    expect(batches.cancel(made.id).status == "cancelling", "cancelled")


@case
def a_batch_needs_a_file_of_ones_own() -> None:
    create = client().batches.create
    error = raises(
        NotFoundError,
        lambda: create(input_file_id="file-99", endpoint="/v1/chat/completions", completion_window="24h"),
    )
    expect(error.param == "input_file_id", error.body)
