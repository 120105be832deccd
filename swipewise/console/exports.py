"""Tables and plots as files."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response

from swipewise.console.context import Console
from swipewise.console.data.tables import table_named
from swipewise.console.data.writing import written
from swipewise.errors import DataError, StoreError, UnknownIdError

_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet", "png": "image/png"}


def export_routes(console: Console) -> APIRouter:
    """The routes under which tables are taken away."""
    router = APIRouter(include_in_schema=False)

    @router.get("/export/{name}.{kind}")
    def get_table(name: str, kind: str, id: Annotated[str, Query(max_length=256)] = "") -> Response:
        """One of ``TABLES``, in one of the forms it can be had in."""
        try:
            taken = table_named(name)
            if taken.of and not id:
                raise DataError(f"{taken.title}: name a {taken.of} with ?id=")
            content = written(taken, taken.read(console, id), kind)
        except UnknownIdError as error:
            raise HTTPException(404, str(error)) from error
        except DataError as error:
            raise HTTPException(422, str(error)) from error
        except StoreError as error:
            raise HTTPException(503, str(error)) from error
        headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
        return Response(content, media_type=_TYPES[kind], headers=headers)

    return router
