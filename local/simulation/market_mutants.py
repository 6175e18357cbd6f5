"""Planted bugs about marketplaces: their money, their returns, and accounts that are paused for a while."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from chalicelib.channels.registry import kind_of
from chalicelib.domain import commands, funding, settlement
from chalicelib.domain.orders import Order, refunded_minor
from chalicelib.inbound import money, polls, returns
from chalicelib.outbound import offers
from chalicelib.runtime import clients
from chalicelib.store import ledger
from chalicelib.store.accounts import resume_account
from chalicelib.store.tables import Key
from local.simulation.planting import Plant, planted


def refund_seen_and_own_added() -> Any:
    """What the channel says it has given back is added to what it has confirmed to us."""

    def added(state: Any) -> int:
        confirmed = sum(refund.amount_minor for refund in state.refunds.values() if refund.status == "confirmed")
        return int(state.payment.refunded_minor + confirmed)

    from chalicelib.domain import lifecycle, moves, orders
    from local.simulation import money_verdict

    everywhere = (orders, funding, lifecycle, moves, money_verdict)
    return planted(*((module, "refunded_minor", added) for module in everywhere))


def older_refunds_seen_win() -> Any:
    """The last word about refunds counts, however old it is."""

    def newest(order: Order, total_minor: int, actor: str, now_ms: int) -> Order | None:
        if total_minor == refunded_minor(order.state):
            return None
        payment = replace(order.state.payment, refunded_minor=total_minor)
        return funding.moved(order, order.having(payment=payment), "refunds_seen", now_ms=now_ms, actor=actor)

    return planted((commands, "decide_refunds_seen", newest))


def refund_read_without_its_tax() -> Any:
    """A reading is cut into parts wherever it happens to be."""
    return planted((money, "_whole", lambda facts: ([fact] for fact in facts)))


def tax_taken_for_a_fee() -> Any:
    """What the channel passes on to the tax office is what it keeps."""
    lines = money.payout_lines
    return planted(
        (
            money,
            "payout_lines",
            lambda facts: [{**line, "kind": "fee" if line["kind"] == "tax" else line["kind"]} for line in lines(facts)],
        )
    )


def tax_taken_for_a_sale() -> Any:
    """Tax that was paid beside the sale, or passed on, is all the seller's."""
    return planted(
        (settlement, "tax_beside", lambda order, tax_minor: 0), (commands, "tax_beside", lambda order, tax_minor: 0)
    )


def fact_keyed_by_payout() -> Any:
    """An amount is another one in each payout, and before it is in one."""
    key = ledger._fact_key

    def keyed(channel: str, fact: Any) -> Key:
        found = key(channel, fact)
        return Key(found.table, found.pk, f"{fact.payout_id}/{found.sk}")

    return planted((ledger, "_fact_key", keyed))


def fact_booked_once_for_all() -> Any:
    """What is in the ledger is not looked at again, though it was held, released, corrected or paid."""
    news = money.news_in
    return planted((money, "news_in", lambda *args: [each for each in news(*args) if each.was is None]))


def payout_known_before_it_is_worked_off() -> Any:
    """A payout is written down as worked off first, and worked off then."""
    messages = money._settlement_messages

    def early(payout: Any, facts: Any, channel: str) -> Any:
        found = messages(payout, facts, channel)
        early.keep(payout, facts, channel)
        return found

    work_off = money._work_off

    def work(payout: Any, channel: str, runtime: Any) -> bool:
        def keep(payout: Any, facts: Any, channel: str) -> None:
            sum_minor = sum(fact.amount_minor for fact in facts)
            known = money.Statement(
                payout.payout_id, payout.currency, payout.paid_ms, payout.amount_minor, len(facts), sum_minor
            )
            money.keep_statement(runtime.tables, channel, known)

        early.keep = keep  # type: ignore[attr-defined]
        return work_off(payout, channel, runtime)

    return planted((money, "_settlement_messages", early), (money, "_work_off", work))


def return_without_its_missing_steps() -> Any:
    """A later step of a return is applied alone, and refused when an earlier one was not seen."""

    def alone(order: Order, fact: Any, _: Any, actor: str, now_ms: int) -> Any:
        return commands._return(order, {**fact, "through": ()}, actor, now_ms)

    return planted((commands, "_through", alone))


def return_under_a_new_name_each_time() -> Any:
    """A return has no name of its own: each time it is told it is another."""
    numbers = itertools.count()
    fact_of = returns._fact

    def nameless(back: Any, order: Any) -> Any:
        fact = fact_of(back, order)
        return {**fact, "return_id": f"{fact['return_id']}-{next(numbers)}"} if fact else None

    return planted((returns, "_fact", nameless))


def return_received_at_the_channels_word() -> Any:
    """A channel's "received" is taken for goods that are here."""
    return planted((returns, "_STEPS", {**returns._STEPS, "receive": ("receive", ())}))


def resume_without_catching_up() -> Any:
    """An account that answers again goes on with what comes next."""

    def resume(channel: str, runtime: Any) -> None:
        resume_account(runtime.tables, channel)
        runtime.unsettle(f"pause/{channel}")

    return planted((polls, "resume", resume))


def resume_forgets_orders() -> Any:
    """A resumed account is shown its stock again, and its orders are not looked at."""
    return planted((polls, "catching_up", lambda channel: [{"rule_of": channel, "again": True}]))


def paused_for_ever() -> Any:
    """Nothing ever tries a paused account again."""
    client_for = clients.client_for
    return planted((polls, "client_for", lambda channel, runtime, probing=False: client_for(channel, runtime)))


def pushed_to_one_kind_only() -> Any:
    """One channel hears of stock, the others do not."""
    wanted = offers._wanted
    return planted(
        (offers, "_wanted", lambda kind, *rest: [each for each in wanted(kind, *rest) if kind_of("shop") == kind])
    )


MARKET_PLANTS: tuple[Plant, ...] = (
    refund_seen_and_own_added,
    older_refunds_seen_win,
    refund_read_without_its_tax,
    tax_taken_for_a_fee,
    tax_taken_for_a_sale,
    fact_keyed_by_payout,
    fact_booked_once_for_all,
    payout_known_before_it_is_worked_off,
    return_without_its_missing_steps,
    return_under_a_new_name_each_time,
    return_received_at_the_channels_word,
    resume_without_catching_up,
    resume_forgets_orders,
    paused_for_ever,
    pushed_to_one_kind_only,
)
