"""What is told, and what is no news."""

from __future__ import annotations

import io

import pytest

from blackstart.errors import ConfigError
from blackstart.progress import PlainSink, Progress, Recorder

FAILED = [("key", "failed", "no key"), ("layers", "failed", "no key")]


def test_waiting_for_the_same_is_told_once() -> None:
    heard = Recorder()
    progress = Progress(heard)
    for reason in ("webhook", "webhook", "image", "webhook"):
        progress.waiting("layers/certs", reason)
    progress.ready("layers/certs")
    progress.waiting("layers/certs", "webhook")
    told = [(event.status, event.reason) for event in heard.events]
    assert told == [
        ("waiting", "webhook"),
        ("waiting", "image"),
        ("waiting", "webhook"),
        ("ready", ""),
        ("waiting", "webhook"),
    ]


def test_a_step_says_how_it_ended() -> None:
    heard = Recorder()
    progress = Progress(heard)
    with progress.step("flux") as note:
        note.text = "2.9.4"
    with pytest.raises(ConfigError) as failed, progress.step("layers"), progress.step("key"):
        raise ConfigError("no key")
    assert failed.value.step == "key" and failed.value.seconds is not None
    told = [(event.step, event.status, event.reason) for event in heard.events]
    assert told[1:] == [("flux", "ready", "2.9.4"), ("layers", "started", ""), ("key", "started", ""), *FAILED]


def test_in_ci_each_event_is_one_line_without_colour() -> None:
    stream = io.StringIO()
    times = iter([0.0, 0.0, 5.12, 76.8])
    progress = Progress(PlainSink(stream), clock=times.__next__)
    progress.tell("begin", reason="up · local (embedded)")
    progress.ready("cluster", "control plane v1.36.3, 1 node")
    progress.waiting("layers/controllers", "HelmRelease/cilium: install in progress")
    assert stream.getvalue().splitlines() == [
        "00:00.0 begin up · local (embedded)",
        "00:05.1 cluster ready control plane v1.36.3, 1 node",
        "01:16.8 layers/controllers waiting HelmRelease/cilium: install in progress",
    ]
