"""The gateway and its OpenAPI file say the same, and any request gets an answer by it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import schemathesis
import sqlalchemy as sa
import yaml
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from jsonschema import Draft202012Validator

from provisioner import schemas
from provisioner.server.app import ROUTES, ReadingRoute, create_app
from provisioner.server.database.connection import Database
from provisioner.server.database.tables import METADATA
from provisioner.server.http.tokens import Tokens, append_token
from tests.server.client import Client
from tests.server.running import WRITER, bearer, serving, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTRACT = yaml.safe_load((schemas.folder() / "gateway.openapi.yaml").read_bytes())
OPEN = ("/livez", "/readyz", "/openapi.yaml")
METHODS = {"get", "put", "post", "delete"}


def test_each_route_is_in_the_contract_and_each_of_the_contract_is_served():
    told = {
        (path, method.upper())
        for path, item in CONTRACT["paths"].items()
        for method in item
        if method in METHODS and path not in OPEN
    }
    served = {
        (path.replace(":path", ""), method)
        for path, methods in ROUTES.items()
        for method in methods
    }
    assert served == told


def test_scopes_bodies_and_query_parameters_are_those_of_the_contract():
    for path, methods in ROUTES.items():
        item = CONTRACT["paths"][path.replace(":path", "")]
        for name, method in methods.items():
            told = item[name.lower()]
            scopes = told.get("security", CONTRACT["security"])[0]["token"]
            references = [p.get("$ref", "").rpartition("/")[2] for p in told.get("parameters", [])]
            if isinstance(method, ReadingRoute):
                assert scopes == ["read"]
                assert {n for n in references if n in {"limit", "cursor"}} == method.query
                continue
            assert scopes == ["write"]
            assert ("idempotencyKey" in references) == (name == "POST")
            body = told.get("requestBody", {}).get("content", {}).get("application/json", {})
            shape = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
            assert shape == (method.shape or "")


def test_every_shape_is_a_sound_schema():
    for name, schema in CONTRACT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        if name in {"NewRole", "RoleContent", "NewName", "Holding", "Changeset", "Recording"}:
            assert schema["additionalProperties"] is False


def test_the_tables_are_what_the_migrations_make(database: str):
    opened = Database(database)
    opened.prepare(lambda _: None)
    with opened.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        names = sorted(sa.inspect(connection).get_table_names())
    opened.close()
    assert names == sorted(["alembic_version", *METADATA.tables])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A gateway with something of everything, and tokens for it."""
    folder = tmp_path_factory.mktemp("contract")
    reader = append_token(folder / "tokens", "reader", may_write=False)
    tokens = Tokens(folder / "tokens", WRITER, "writer")
    with serving(create_app(settings(folder / "gateway.sqlite", tokens=tokens))) as url:
        with Client(url, WRITER) as client:
            role = client.role("Included")
            outer = client.role("Including", includes=[role["id"]])
            client.give("ada", outer["id"])
            client.commit(recorded=["roles"])
        yield url, reader


# Requests of each kind; `make soak` sends many more.
REQUESTS = 15 * int(os.environ.get("PROVISIONER_SOAK_RUNS", "500")) // 500
# What the contract can't say in a schema: cursors, names by Unicode's rules, references, versions.
REFUSALS = ["400", "404", "409", "412", "422"]
CHECKS = {
    "positive_data_acceptance": {"expected-statuses": ["2xx", "304", *REFUSALS]},
    # Asked for with the right token each time; who may not is tested by itself below.
    "ignored_auth": {"enabled": False},
    # 422: the key is looked up before If-Match is missed, and may have come with another body.
    "missing_required_header": {"expected-statuses": ["400", "401", "422", "428"]},
}
GENERATED = schemathesis.openapi.from_dict(
    CONTRACT, config=schemathesis.Config.from_dict({"checks": CHECKS})
)
PLAIN = schemathesis.openapi.from_dict(
    CONTRACT,
    config=schemathesis.Config.from_dict(
        {"phases": {"coverage": {"enabled": False}}, "generation": {"mode": "positive"}}
    ),
)


@GENERATED.auth()
class Auth:
    """The token that may write."""

    def get(self, case: Any, context: Any) -> str:
        return WRITER

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), **bearer(data)}


@GENERATED.parametrize()
@hypothesis.settings(
    max_examples=REQUESTS, phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate]
)
def test_any_request_is_answered_by_the_contract(case: Any, running: Any):
    case.call_and_validate(base_url=running[0])


@PLAIN.parametrize()
@hypothesis.settings(max_examples=2, phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate])
def test_nobody_gets_further_than_the_token_allows(case: Any, running: Any):
    url, reader = running
    if case.path in OPEN:
        return
    # A name with a control character is no path of ours; that may be said before anybody is known.
    named = "".join(map(str, (case.path_parameters or {}).values()))
    is_no_path = re.search(r"%[01][0-9A-F]|%7F|%C2%[89]", named, re.IGNORECASE) is not None
    for header in ({}, bearer("unknown"), {"Authorization": "Basic bm9ib2R5OnBhc3M="}):
        reply = case.call(base_url=url, headers=header)
        if is_no_path and reply.status_code == 404:
            return
        assert reply.status_code == 401
        case.validate_response(reply)
    reply = case.call(base_url=url, headers=bearer(reader))
    assert (reply.status_code == 403) == (case.method != "GET")
