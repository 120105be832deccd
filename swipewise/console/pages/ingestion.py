"""What is taken into the catalogue, and what could not be."""

from __future__ import annotations

import asyncio
from functools import partial

from fastapi import Request
from nicegui import ui

from swipewise.console import charts
from swipewise.console.changing import changing
from swipewise.console.context import Console
from swipewise.console.data.health import COUNT
from swipewise.console.data.ingestion import STAGE, IngestionState, ingestion_state, retry
from swipewise.console.markup import Content, Markup, tag
from swipewise.console.parts import card, chart, empty, exports, moment, number, pill, table, tiles, video_address
from swipewise.console.shell import Visit, button, element, frame, show
from swipewise.errors import SwipewiseError
from swipewise.events.job_records import Job, JobState
from swipewise.schema import Col

_REJECTED = 100
_REFRESH_SECONDS = 5.0
_KINDS = {JobState.DONE: "good", JobState.REJECTED: "bad", JobState.RUNNING: "accent", JobState.QUEUED: ""}


def add_page(console: Console) -> None:
    """Put the page at ``/ingestion``."""

    @ui.page("/ingestion", response_timeout=60)
    async def ingestion(request: Request) -> None:
        visit = Visit.of(console, request)
        state = await asyncio.to_thread(ingestion_state, console.catalog, console.jobs)
        with frame(visit, "Ingestion", section="Ingestion", lead="Videos on their way into the catalogue."):
            figures, jobs = show(_figures(state)), None
            with element("div", "grid"):
                jobs = show(_jobs(console, state))
                _throughput(console, state)
                show(_stages(console, state), classes="half")
                with element("section", "card"):
                    _rejected(visit, state)

        async def refresh() -> None:
            state = await asyncio.to_thread(ingestion_state, console.catalog, console.jobs)
            figures.set_content(str(_figures(state)))
            jobs.set_content(str(_jobs(console, state)))

        ui.timer(_REFRESH_SECONDS, refresh, immediate=False)


def _figures(state: IngestionState) -> Markup:
    counts = state.counts
    return tiles(
        [
            ("Waiting", number(counts[JobState.QUEUED]), "jobs"),
            ("Being worked on", number(counts[JobState.RUNNING]), "jobs"),
            ("Done", number(counts[JobState.DONE]), "jobs"),
            ("Rejected", number(counts[JobState.REJECTED]), "jobs"),
            ("Rejected files", number(len(state.rejected)), "of jobs and of commands"),
        ]
    )


def _jobs(console: Console, state: IngestionState) -> Markup:
    if not state.jobs:
        return card("Jobs", empty("No jobs", "Videos that are posted to /v1/videos, or tried again, are jobs."))
    rows = [_job(console, job) for job in state.jobs]
    return card(
        "Jobs",
        table("Jobs", ("File", "State", "Posted", "Seconds", "What came of it"), rows, numbers=(3,)),
        extra=exports(console.root, "jobs"),
        hint=f"The newest {len(rows)}; looked at every {_REFRESH_SECONDS:.0f} seconds.",
    )


def _job(console: Console, job: Job) -> tuple[Content, ...]:
    came: Content = job.reason or job.outcome or job.stage or "–"
    if job.video_id and job.state is JobState.DONE:
        came = tag("a", f"{job.outcome}: {job.video_id}", href=video_address(console.root, job.video_id))
    return (
        tag("span", job.request.uri, class_="mono"),
        pill(job.state.value, _KINDS[job.state]),
        moment(job.created_at),
        f"{sum(job.seconds.values()):.1f}" if job.seconds else "–",
        came,
    )


def _throughput(console: Console, state: IngestionState) -> None:
    if state.taken.is_empty():
        show(card("Throughput", empty("Nothing was taken yet", "", "swipewise videos add clips/")), classes="half")
        return
    chart(
        "Throughput",
        charts.columns(
            [f"{at:%d %b %H:00}" for at in state.taken[Col.AT]],
            {"videos": state.taken[COUNT].to_list()},
            x="hour, UTC",
            y="videos",
        ),
        hint="Videos taken into the catalogue, by hour; hours without any are left out.",
        extra=exports(console.root, "videos-by-hour"),
        classes="half",
    )


def _stages(console: Console, state: IngestionState) -> Markup:
    if state.seconds.is_empty():
        return card("Time of each stage", empty("Not known", "It is measured of jobs."))
    rows = [(stage, f"{took:.2f}") for stage, took in state.seconds.select(STAGE, Col.SECONDS).rows()]
    return card(
        "Time of each stage",
        table("Stages", ("Stage", "Median seconds"), rows, numbers=(1,)),
        hint="Over the newest jobs.",
        extra=exports(console.root, "stages"),
    )


def _rejected(visit: Visit, state: IngestionState) -> None:
    extra = Markup("") if state.rejected.is_empty() else exports(visit.console.root, "rejected")
    show(tag("h2", "Rejected files") + extra, classes="card-head")
    if state.rejected.is_empty():
        show(empty("None", "Every file that was added could be read."))
        return
    said = show(Markup(""))
    said.classes("said").props["role"] = "status"
    with element("ul", "rejected"):
        for row in state.rejected.head(_REJECTED).to_dicts():
            with element("li"):
                told = tag("p", row[Col.URI], class_="mono") + tag("p", row[Col.REASON])
                show(told + tag("p", moment(row[Col.AT]), class_="muted small"))
                button(
                    "Try again",
                    partial(_try_again, visit, row[Col.URI], said),
                    disabled=not visit.session.may_change,
                )


async def _try_again(visit: Visit, uri: str, said: ui.html) -> None:
    console = visit.console
    try:
        await changing(visit, "retry", uri, lambda: retry(console.catalog, console.jobs, uri))
        told = f"{uri} is queued again."
    except SwipewiseError as error:
        told = str(error)
    said.set_content(str(tag("span", told)))
