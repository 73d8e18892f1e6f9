"""Every line of the table of attacks is held by a test."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[1]
PAGE: Final = TESTS.parent / "docs" / "threat-model.md"

# The tests of these lines that stand among those of what they attack.
ELSEWHERE: Final[dict[int, list[str]]] = {
    22: [
        "providers/langgraph/test_interrupts.py::test_an_answer_that_nobody_waits_for_is_an_error",
        "providers/crewai/test_interrupts.py::test_an_answer_to_no_question_is_refused",
        "providers/langgraph/test_conversation.py::test_a_result_for_a_call_that_nobody_made_is_left_out",
        "providers/langgraph/test_conversation.py::test_the_frontends_own_instructions_are_left_out",
        "providers/chat/test_conversation.py::test_instructions_and_context_of_the_frontend_can_be_refused",
        "tools/test_registry.py::test_a_thread_remembers_the_results_and_gives_no_other_to_the_agent",
    ],
    26: [
        "app/test_identity.py::test_nothing_in_a_body_says_who_asks",
        "providers/langgraph/test_config.py::test_a_client_cannot_choose_the_thread_the_checkpoint_or_the_user",
    ],
    27: ["tools/test_public_http.py::test_a_redirect_is_not_followed"],
    31: ["protocols/test_owners.py::test_of_a_thread_that_is_over_another_user_sees_and_changes_nothing"],
    32: ["protocols/test_owners.py::test_a_cursor_of_anothers_thread_replays_nothing"],
    33: ["app/test_identity.py::test_anonymous_users_of_other_machines_are_warned_of_once"],
    34: ["app/test_application.py::test_any_origin_is_let_in_without_credentials"],
    35: ["app/test_hosts.py::test_what_is_addressed_elsewhere_is_refused"],
    36: [
        "app/test_headers.py::test_of_a_header_that_came_twice_the_one_that_a_dependency_sees_counts",
        "app/test_headers.py::test_what_is_of_no_concern_to_an_agent_stays",
        "logs/test_records.py::test_credentials_of_the_request_are_hidden_in_messages_arguments_and_tracebacks",
    ],
    37: [
        "protocols/agui/test_run.py::test_a_frontend_that_leaves_does_not_stop_the_run",
        "clients/test_abort.py::test_the_client_vanishes_at_a_byte",
    ],
    38: [
        "runs/test_run.py::test_a_stop_after_the_end_changes_nothing",
        "test_workers.py::test_a_run_is_stopped_from_another_worker",
    ],
    39: ["runs/test_run.py::test_any_agent_makes_a_well_formed_run"],
    40: [
        "runs/test_run.py::test_an_agent_that_stays_silent_times_out",
        "runs/test_run.py::test_a_run_has_a_bounded_number_of_events",
        "runs/test_run.py::test_a_run_has_a_bounded_size",
    ],
    43: ["protocols/agui/test_connect.py::test_twenty_readers_who_join_at_any_event_see_the_same_bytes"],
    44: [
        "protocols/agui/test_connect.py::test_a_reader_who_comes_back_at_any_event_of_a_run_misses_nothing"
        "_and_sees_nothing_twice",
        "protocols/agui/test_connect.py::test_an_agents_own_memory_stands_in_for_a_log_that_is_gone",
    ],
    45: [
        "test_runtime.py::test_a_busy_thread_refuses_another_run",
        "test_runtime.py::test_a_new_run_may_take_the_place_of_the_old_one",
        "test_runtime.py::test_a_new_run_may_wait_for_the_old_one",
    ],
    46: [
        "protocols/agui/test_run.py::test_a_run_is_streamed_with_ids_and_headers_that_proxies_respect",
        "protocols/test_stream.py::test_silence_is_broken_by_comments_and_only_silence",
    ],
    47: [
        "faults/test_kill.py::test_no_event_that_was_seen_is_lost_when_a_worker_is_killed"
        "_and_no_thread_is_stuck"
    ],
    48: ["faults/test_outage.py::test_a_stream_goes_on_without_the_store_and_everything_is_kept_later"],
    49: ["state_store/test_sqlite.py::test_a_full_disk_is_an_outage_after_which_nothing_is_missing"],
    50: ["app/test_graceful_stop.py::test_runs_may_end_and_those_that_do_not_are_closed"],
    52: ["faults/test_load.py::test_a_thousand_connections_that_wait_are_cheap_and_leave_nothing"],
    53: ["faults/test_load.py::test_memory_stays_flat_over_200_threads_of_90_runs_under_the_bound"],
    54: ["test_runtime.py::test_two_hundred_runs_at_once_do_not_meet"],
    55: ["test_runtime.py::test_contexts_of_runs_do_not_meet"],
    58: [
        "protocols/test_attachments.py::test_a_link_is_valid_as_it_was_made_and_no_other",
        "protocols/test_attachments.py::test_another_users_file_is_no_file",
    ],
    59: [
        "protocols/test_attachments.py::test_a_file_that_lies_or_is_not_allowed_is_refused",
        "protocols/test_attachments.py::test_active_content_that_an_application_allows_is_only_downloaded",
    ],
    60: [
        "protocols/test_attachments.py::test_a_file_has_a_largest_size",
        "protocols/test_attachments.py::test_an_owner_has_a_quota_of_files_and_bytes",
    ],
    61: [
        "generative_ui/test_bounds.py::test_a_bomb_that_a_model_writes_is_not_drawn_and_the_model_is_told",
        "generative_ui/test_bounds.py::test_what_a_document_shows_is_bounded",
    ],
    62: [
        "tools/test_mcp_apps.py::test_a_frame_is_refused_everything_else",
        "generative_ui/test_app_requests.py::test_a_frame_on_another_users_thread_learns_and_changes_nothing",
    ],
    63: [
        "browser/test_hostile_frames.py::test_the_frame_of_an_mcp_app_reaches_nothing_of_the_page",
        "browser/test_hostile_frames.py::test_a_surface_runs_no_script",
    ],
}


def marked() -> dict[int, list[str]]:
    """The tests that carry a number."""
    found: dict[int, list[str]] = defaultdict(list)
    for directory, below, files in os.walk(TESTS):
        below[:] = [name for name in below if name != "node_modules"]
        for path in (Path(directory, name) for name in files if re.fullmatch(r"test_.*\.py", name)):
            for number in re.findall(r"mark\.attack\((\d+)\)", path.read_text(encoding="utf-8")):
                found[int(number)].append(path.name)
    return found


def test_every_line_has_a_test() -> None:
    rows = re.findall(r"^\| (\d+) \| .+ \| .+ \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert [int(number) for number in rows] == list(range(1, 64))
    assert set(marked()) | set(ELSEWHERE) == set(range(1, 64))


def test_the_tests_that_are_named_exist() -> None:
    for named in (name for names in ELSEWHERE.values() for name in names):
        path, _, function = named.partition("::")
        source = (TESTS / path).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {function}\(", source, re.MULTILINE), named
