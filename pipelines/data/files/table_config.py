"""How tables are read, as the section `data` of a task says it."""

from pydantic import Field

from ...core.task_config import DataConfig

#: The fields of `TableConfig` itself.
TABLE_KEYS = ("encoding", "delimiter", "header", "skip_rows")


class TableConfig(DataConfig):
    """Data that may stand in tables: what is left out is found in the file."""

    encoding: str | None = Field(
        None, description="of the file, such as utf-8, cp1252 or shift_jis"
    )
    delimiter: str | None = Field(
        None, description="between fields: a character, or tab, space (any number)"
    )
    header: int | None = Field(
        None, ge=0, le=3, description="lines of the header; 0 where there is none"
    )
    skip_rows: int | None = Field(
        None, ge=0, description="lines above the header that are left out"
    )
