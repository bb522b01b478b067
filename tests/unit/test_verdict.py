"""Every row of the table of design, section 6: evidence in, decision out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blackstart.errors import Locked, Unsafe
from blackstart.recovery.facts import ApiFact, Evidence, GitFact, Mark, ProviderFact, StateFact
from blackstart.recovery.show import evidence_lines, screen
from blackstart.recovery.verdict import Row, decide

OURS = Mark("uid-1", "ca-1")
REBORN = Mark("uid-2", "ca-1")
REMADE = Mark("uid-2", "ca-2")
ADDRESSES = ("kubernetes_secret.sops-age", "terraform_data.identity")
STATE = StateFact("local-sops-age", True, True, 3, "lineage", ADDRESSES, OURS)
ALIVE = ProviderFact(True, True, True, "runs as pid 7")
STOPPED = ProviderFact(True, True, False, "recorded, not running")
GONE = ProviderFact(True, False, False, "no record of it")
UNKNOWN = ProviderFact(False, proof="no host answers")


def evidence(
    api: ApiFact, provider: ProviderFact = ALIVE, recorded: Mark | None = OURS, *states: StateFact
) -> Evidence:
    return Evidence(states or (STATE,), provider, api, recorded, "found", GitFact("worktree"))


def answers(live: Mark | None, **more: bool) -> ApiFact:
    return ApiFact("answers", "https://127.0.0.1:1", live=live, **more)  # type: ignore[arg-type]


def test_same_identity_is_drift_and_forgets_nothing() -> None:
    verdict = decide(evidence(answers(OURS, provider_made=True)))
    assert (verdict.row, verdict.forget, verdict.refusal) == (Row.SAME, {}, None)
    assert not verdict.data_lost


def test_another_uid_under_the_same_ca_is_our_cluster_emptied() -> None:
    verdict = decide(evidence(answers(REBORN)))
    assert verdict.row is Row.EMPTIED
    assert verdict.forget == {"local-sops-age": ADDRESSES}
    assert verdict.data_lost


def test_another_ca_is_ours_when_the_provider_made_what_answers() -> None:
    verdict = decide(evidence(answers(REMADE, provider_made=True)))
    assert verdict.row is Row.EMPTIED
    assert verdict.forget


def test_another_ca_unproven_is_somebody_elses() -> None:
    verdict = decide(evidence(answers(REMADE)), assume_lost=True)
    assert (verdict.row, verdict.forget) == (Row.FOREIGN, {})
    assert isinstance(verdict.refusal, Unsafe)


def test_what_does_not_run_of_a_cluster_that_answers_is_started() -> None:
    assert decide(evidence(answers(OURS), STOPPED)).start
    assert not decide(evidence(answers(OURS), ALIVE)).start


def test_refused_and_stopped_is_a_reboot() -> None:
    verdict = decide(evidence(ApiFact("refuses"), STOPPED))
    assert (verdict.row, verdict.start, verdict.forget) == (Row.STOPPED, True, {})


def test_a_cluster_whose_api_alone_is_down_is_started() -> None:
    assert decide(evidence(ApiFact("refuses"), ALIVE)).start


@pytest.mark.parametrize("answer", ["refuses", "unknown", "silent"])
def test_gone_by_the_providers_proof_is_lost(answer: str) -> None:
    verdict = decide(evidence(ApiFact(answer), GONE))  # type: ignore[arg-type]
    assert (verdict.row, verdict.refusal) == (Row.LOST, None)
    assert verdict.forget == {"local-sops-age": ADDRESSES}


@pytest.mark.parametrize("provider", [ALIVE, STOPPED, GONE, UNKNOWN])
def test_denied_is_never_lost(provider: ProviderFact) -> None:
    verdict = decide(evidence(ApiFact("denied", text="x509: unknown authority"), provider), assume_lost=True)
    assert (verdict.row, verdict.forget) == (Row.DENIED, {})
    assert verdict.refusal is not None
    assert "x509" in verdict.refusal.message


@pytest.mark.parametrize("provider", [ALIVE, STOPPED, UNKNOWN])
def test_silence_proves_nothing(provider: ProviderFact) -> None:
    verdict = decide(evidence(ApiFact("silent"), provider))
    assert (verdict.row, verdict.forget) == (Row.UNPROVEN, {})
    assert verdict.refusal is not None
    assert verdict.refusal.exit_code == 8
    assert "--assume-lost" in verdict.refusal.hint


@pytest.mark.parametrize("answer", ["refuses", "unknown", "silent"])
def test_the_operators_word_counts_where_nothing_proves_a_loss(answer: str) -> None:
    verdict = decide(evidence(ApiFact(answer), UNKNOWN), assume_lost=True)  # type: ignore[arg-type]
    assert (verdict.row, verdict.refusal) == (Row.LOST, None)
    assert verdict.forget


def test_refused_and_the_provider_cannot_tell_is_unproven() -> None:
    assert decide(evidence(ApiFact("refuses"), UNKNOWN)).row is Row.UNPROVEN


def test_state_missing_and_cluster_alive_is_adopted() -> None:
    verdict = decide(evidence(answers(OURS, provider_made=True), ALIVE, None, StateFact("local-flux")))
    assert (verdict.row, verdict.forget, verdict.refusal) == (Row.ADOPT, {}, None)
    assert not verdict.data_lost


def test_an_api_that_answers_for_a_cluster_that_was_never_made_is_not_adopted() -> None:
    verdict = decide(evidence(answers(OURS), GONE, None, StateFact("local-flux")))
    assert verdict.row is Row.FOREIGN
    assert verdict.refusal is not None


def test_nothing_anywhere_is_made_from_git() -> None:
    verdict = decide(evidence(ApiFact("unknown"), GONE, None, StateFact("local-flux")))
    assert (verdict.row, verdict.forget) == (Row.NOTHING, {})
    assert verdict.data_lost


def test_a_cluster_that_does_not_say_which_it_is() -> None:
    assert decide(evidence(answers(None, provider_made=True))).row is Row.SAME
    assert decide(evidence(answers(None))).row is Row.UNPROVEN


def test_a_state_that_is_cut_off_is_restored_whatever_else_is_found() -> None:
    broken = replace(STATE, whole=False)
    assert decide(evidence(answers(OURS, provider_made=True), ALIVE, OURS, broken)).restore == ("local-sops-age",)
    assert decide(evidence(ApiFact("refuses"), GONE, OURS, broken)).restore == ("local-sops-age",)


def test_a_kubeconfig_that_only_the_provider_has_is_taken() -> None:
    assert decide(evidence(answers(OURS, provider_made=True, from_provider=True))).fetch


def test_hosts_that_lost_a_cluster_that_exists_join_anew() -> None:
    partly = replace(ALIVE, blank=("s2", "a1"))
    assert decide(evidence(answers(OURS, provider_made=True), partly)).rejoin == ("s2", "a1")
    stopped = decide(evidence(ApiFact("refuses"), replace(partly, running=False)))
    assert (stopped.row, stopped.rejoin) == (Row.STOPPED, ("s2", "a1"))
    assert not decide(evidence(answers(REBORN), partly)).rejoin


@pytest.mark.parametrize(("provider", "lost"), [(GONE, True), (STOPPED, False), (ALIVE, False)])
def test_only_a_proven_loss_makes_way_for_a_snapshot(provider: ProviderFact, lost: bool) -> None:
    assert decide(evidence(ApiFact("refuses"), provider)).lost is lost
    assert not decide(evidence(answers(REBORN), provider)).lost


def test_a_live_lock_stops_everything() -> None:
    verdict = decide(evidence(ApiFact("refuses"), GONE, OURS, replace(STATE, lock="root@host, apply")))
    assert isinstance(verdict.refusal, Locked)
    assert "root@host" in verdict.refusal.message
    assert verdict.forget == {}


def test_what_is_not_known_of_a_lock_is_not_called_free() -> None:
    remote = replace(STATE, lock_seen=False)
    for state, said in ((STATE, "not locked"), (remote, "its lock shows when it is taken")):
        (_, text), *_ = evidence_lines(evidence(answers(OURS), ALIVE, OURS, state))
        assert text.endswith(said)


@pytest.mark.parametrize(
    ("api", "provider", "recorded"),
    [
        (answers(OURS, provider_made=True), ALIVE, OURS),
        (answers(REBORN), ALIVE, OURS),
        (answers(OURS, provider_made=True), ALIVE, None),
        (ApiFact("refuses"), STOPPED, OURS),
        (ApiFact("refuses"), GONE, OURS),
    ],
)
def test_what_is_forgotten_kept_and_made_is_told(api: ApiFact, provider: ProviderFact, recorded: Mark | None) -> None:
    found = evidence(api, provider, recorded)
    verdict = decide(found)
    told = dict(line.strip().split("  ", 1) for line in screen(found, verdict, []).splitlines() if "  " in line.strip())
    assert told["keep"].strip() and told["make anew"].strip()
    assert (told["forget"].strip() == "nothing") is (not verdict.forget)
    assert all(address in told["forget"] for address in (ADDRESSES if verdict.forget else ()))


def test_a_refusal_tells_no_plan() -> None:
    found = evidence(answers(REMADE))
    assert "make anew" not in screen(found, decide(found), [])
