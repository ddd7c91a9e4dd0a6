"""The people who run the installation, their one-time links, and the API keys of their programs."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Conflict, Invalid
from threepeat_tenants.accounts import links, operator_keys, operators
from threepeat_tenants.console import once
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import OperatorVisit, public_address
from threepeat_tenants.console.pages.operator import common
from threepeat_tenants.console.rendering import render

router = APIRouter()

PAGE = "/operator/operators"
SHOWN = ("login", "name", "key_name")


@router.get("/operator/operators")
def show(request: Request, desk: AppDesk) -> Response:
    """Everybody, and all keys; a new link or key is on it once."""
    return desk.operator(request, lambda visit: once.forget(visit, _show(visit)))


@router.post("/operator/operators")
def add(request: Request, desk: AppDesk) -> Response:
    """Add somebody and make their first link."""

    def work(visit: OperatorVisit) -> Response:
        given = common.typed(visit, *SHOWN)
        try:
            with visit.ops() as ops:
                made = operators.add(ops, login=given["login"], name=given["name"], by=visit.by)
                token = links.make_operator_link(ops, visit.platform.keyring, made.id, visit.by)
        except Invalid as error:
            return _show(visit, given, error)
        answer = visit.redirect(PAGE, notice=_("{name} is added.", name=made.name))
        return _leave_link(visit, answer, token, made.name)

    return desk.operator(request, work)


@router.post("/operator/operators/{person}/link")
def make_link(request: Request, desk: AppDesk, person: int) -> Response:
    """Make a one-time link; older ones stop working."""

    def work(visit: OperatorVisit) -> Response:
        with visit.ops() as ops:
            found = operators.find(ops, person)
            token = links.make_operator_link(ops, visit.platform.keyring, found.id, visit.by)
        return _leave_link(visit, visit.redirect(PAGE), token, found.name)

    return desk.operator(request, work)


@router.post("/operator/operators/{person}/disable")
def disable(request: Request, desk: AppDesk, person: int) -> Response:
    """Let somebody sign in no more; their sessions and links end at once."""

    def work(visit: OperatorVisit) -> Response:
        try:
            with visit.ops() as ops:
                found = operators.disable(ops, person, by=visit.by)
        except Conflict as error:
            return visit.redirect(PAGE, notice=error.args[0], kind="bad")
        return visit.redirect(PAGE, notice=_("{name} may not sign in any more.", name=found.name))

    return desk.operator(request, work)


@router.post("/operator/operators/{person}/enable")
def enable(request: Request, desk: AppDesk, person: int) -> Response:
    """Let somebody sign in again, with the password they had."""

    def work(visit: OperatorVisit) -> Response:
        with visit.ops() as ops:
            found = operators.enable(ops, person, by=visit.by)
        return visit.redirect(PAGE, notice=_("{name} may sign in again.", name=found.name))

    return desk.operator(request, work)


@router.post("/operator/operators/keys")
def make_key(request: Request, desk: AppDesk) -> Response:
    """Make an API key for a program."""

    def work(visit: OperatorVisit) -> Response:
        given = common.typed(visit, *SHOWN)
        try:
            with visit.ops() as ops:
                key = operator_keys.create(ops, visit.platform.keyring, given["key_name"], by=visit.by)
        except Invalid as error:
            return _show(visit, given, Invalid("key_name", error.reason))
        return once.leave(visit, visit.redirect(f"{PAGE}#keys"), PAGE, {"key": key})

    return desk.operator(request, work)


@router.post("/operator/operators/keys/{key_id}/revoke")
def revoke_key(request: Request, desk: AppDesk, key_id: str) -> Response:
    """Revoke a key; the next request with it is refused."""

    def work(visit: OperatorVisit) -> Response:
        with visit.ops() as ops:
            operator_keys.revoke(ops, key_id, by=visit.by)
        notice = _("The key is revoked. Whoever uses it is refused from now on.")
        return visit.redirect(f"{PAGE}#keys", notice=notice)

    return desk.operator(request, work)


def _show(visit: OperatorVisit, given: Mapping[str, str] | None = None, error: Invalid | None = None) -> Response:
    with visit.ops() as ops:
        everybody = operators.everyone(ops)
        keys = operator_keys.everything(ops)
    return render(
        visit,
        "operator/operators.html",
        status=422 if error else 200,
        operators=everybody,
        enabled=sum(one.disabled_at is None for one in everybody),
        keys=keys,
        shown=common.Said(once.read(visit, PAGE) if error is None else {}),
        given=common.kept(given or dict.fromkeys(SHOWN, "")),
        errors=common.faults(visit, error.errors if error else ()),
    )


def _leave_link(visit: OperatorVisit, answer: Response, token: str, name: str) -> Response:
    shown = {"link": public_address(visit, links.PATH + token), "owner": name}
    return once.leave(visit, answer, PAGE, shown)
