from __future__ import annotations

import os
import signal
import threading

import pytest

from haman.lab.signals import held, unwinding


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_being_asked_to_end_unwinds_with_the_status_a_shell_would_give(number):
    with pytest.raises(SystemExit) as leaving, unwinding():
        send(number)
    assert leaving.value.code == 128 + number


def test_ctrl_c_is_what_it_ever_was():
    with pytest.raises(KeyboardInterrupt), unwinding():
        send(signal.SIGINT)


def test_a_signal_waits_until_the_block_is_done():
    done = []

    def both() -> None:
        with unwinding(), held():
            with held():
                send(signal.SIGTERM)
            done.append("all of it")

    with pytest.raises(SystemExit):
        both()
    assert done == ["all of it"]


def test_a_signal_that_waited_is_not_lost_when_the_block_fails():
    def fail() -> None:
        with unwinding(), held():
            send(signal.SIGTERM)
            raise OSError

    with pytest.raises(SystemExit):
        fail()


def test_afterwards_the_handlers_are_as_before():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with unwinding():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_in_another_thread_it_leaves_the_signals_alone():
    ran = []

    def elsewhere() -> None:
        with unwinding(), held():
            ran.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert ran == [signal.getsignal(signal.SIGTERM)]
