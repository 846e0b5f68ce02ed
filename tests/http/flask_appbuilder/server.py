"""A Flask-AppBuilder with its security API, for tests. Runs in an environment of its own.

``python server.py FOLDER`` keeps its database there, prints one line of JSON with its port once it
listens, and stops when its standard input ends: so it never outlives whoever started it.

Routes below ``/testing`` are ours: ``reset`` puts the database back to how it began, ``behaviour``
sets how long the tokens given from then on are valid, the others do in one request, and past the
API, what somebody else might do.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from datetime import timedelta
from pathlib import Path

from flask import Flask, request
from flask_appbuilder import AppBuilder, Model
from flask_appbuilder.security.sqla.models import Group, Role, User
from flask_sqlalchemy import SQLAlchemy
from werkzeug.serving import WSGIRequestHandler, make_server

USERS = ("ada@example.com", "grace@example.com", "hedy@example.com")
PASSWORD = "only-for-tests"  # noqa: S105 - the server lives as long as a test run
TOKEN_SECONDS = 900
OK = {"message": "OK"}

db = SQLAlchemy()


def application(folder: Path) -> Flask:
    """Return the application, with its database made."""
    app = Flask("flask_appbuilder_for_tests")
    app.config.update(
        SECRET_KEY=os.urandom(32).hex(),
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'flask-appbuilder.sqlite'}",
        FAB_ADD_SECURITY_API=True,
        # The slow hash protects passwords that matter.
        FAB_PASSWORD_HASH_METHOD="pbkdf2:sha256:1",
        WTF_CSRF_ENABLED=False,
    )
    # As on every other database: the number of a deleted role is not given again.
    for table in Model.metadata.tables.values():
        table.dialect_options["sqlite"]["autoincrement"] = True
    db.init_app(app)
    with app.app_context():
        appbuilder = AppBuilder(app, db.session)
        populate(appbuilder)
        initial = rows()

    @app.post("/testing/reset")
    def reset() -> dict[str, str]:
        restore(initial)
        app.config["JWT_ACCESS_TOKEN_EXPIRES"] = timedelta(seconds=TOKEN_SECONDS)
        return OK

    @app.post("/testing/behaviour")
    def behaviour() -> dict[str, str]:
        seconds = request.get_json()["token_seconds"]
        app.config["JWT_ACCESS_TOKEN_EXPIRES"] = timedelta(seconds=seconds)
        return OK

    @app.post("/testing/roles")
    def roles() -> dict[str, str]:
        db.session.add_all(Role(name=name) for name in request.get_json()["names"])
        db.session.commit()
        return OK

    @app.post("/testing/group")
    def group() -> dict[str, str]:
        wanted = request.get_json()
        made = Group(name=wanted["name"])
        made.roles = db.session.query(Role).filter(Role.name.in_(wanted["roles"])).all()
        db.session.add(made)
        db.session.commit()
        return OK

    @app.post("/testing/forget")
    def forget() -> dict[str, str]:
        permission, view = request.get_json()["privilege"]
        found = appbuilder.sm.find_permission_view_menu(permission, view)
        for role in db.session.query(Role):
            role.permissions = [each for each in role.permissions if each.id != found.id]
        db.session.delete(found)
        db.session.commit()
        return OK

    return app


def populate(appbuilder: AppBuilder) -> None:
    """Add an administrator, and users who hold nothing."""
    security = appbuilder.sm
    admin = security.find_role("Admin")
    security.add_user("admin", "Ad", "Min", "admin@example.org", admin, PASSWORD)
    for login in USERS:
        name = login.partition("@")[0].title()
        db.session.add(User(first_name=name, last_name="Test", username=login, email=login))
    db.session.commit()


def rows() -> dict[str, list[dict[str, object]]]:
    """Return the rows of all tables, in an order in which they can be put back."""
    tables = Model.metadata.sorted_tables
    return {
        table.name: [dict(row) for row in db.session.execute(table.select()).mappings()]
        for table in tables
    }


def restore(initial: dict[str, list[dict[str, object]]]) -> None:
    """Put the database back to how it was; numbers that were given since are not given again."""
    with db.engine.begin() as connection:
        tables = Model.metadata.sorted_tables
        for table in reversed(tables):
            connection.execute(table.delete())
        for table in tables:
            if initial[table.name]:
                connection.execute(table.insert(), initial[table.name])
    db.session.remove()


class Quiet(WSGIRequestHandler):
    """Writes no line for each request, and keeps connections open."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write nothing."""


def main() -> None:
    """Serve until standard input ends."""
    app = application(Path(sys.argv[1]))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(json.dumps({"port": server.server_port}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
