"""Why a file went through as opaque, and what a reading may remark: the one table of both, because they stand in manifests for ever."""

REASONS = {
    "empty": "The file has no bytes.",
    "not_recognised": "No input format claims this file by name or content.",
    "header_only": "The header is whole, but there is no row.",
    "truncated": "The file ends too early: in the middle of a line or header, or with fewer lines or rows than promised.",
    "line_count": "The file has more lines than its header promises, or its header has another length than it says.",
    "malformed_row": "A row has another number of columns than the header, or a cell that is no number, date or time.",
    "malformed_header": "The header is not one of this format: a column that is needed is missing.",
    "unknown_encoding": "The content is neither UTF-8 nor Latin-1 text: it may be binary or damaged.",
    "wrong_station": "The file names another station than the gateway's.",
    "no_time": "Neither the file nor its name says when the rows were measured.",
    "time_out_of_range": "A row lies outside the years 1 to 9999, or on the calendar's first or last day, as sentinels do.",
    "utc_offset_unknown": "Times are in the station's standard time, and neither the settings nor the country tell its offset from UTC.",
    "too_large": "Larger than 256 MiB, 40 million numbers, or 8 million cells of a table with words: parsing would hold it all in memory.",
    "too_many_columns": "The header has more than 10,000 columns.",
    "row_too_large": "One row, with the names of its columns, is larger than a message may be.",
    "zip_bomb": "Unpacked, the archive would be larger than 256 MiB.",
    "archive_entries": "The zip file holds no file or several: only one with a single file is read.",
    "damaged_archive": "The gzip or zip file cannot be unpacked: damaged, cut short, encrypted, or of an unknown method.",
    "format_error": "The format itself failed on this file: a bug worth reporting, with the file.",
}
"""Codes of an opaque batch. The file is archived untouched in each case."""

NOTES = {
    "time": "Where the rows' instants come from.",
    "standard_time": "The offset from UTC that was used, and who said so.",
    "encoding": "The text encoding, where it is not UTF-8.",
    "unpacked": "The file inside the gzip or zip that was read.",
    "left_out": "Columns that say nothing beyond the rows' instants and are not among the variables.",
    "rows_expected": "The file has fewer or more rows than its time span and rate ask for.",
    "time_gap": "Steps in time longer than one and a half times the usual one (ten times, where steps vary). The rows are as they are.",
    "time_not_ascending": "Some rows are earlier than the row before. The rows are as they are, in the order of the file.",
    "infinite_values": "Infinite values, which became missing ones.",
    "header": "What the file's header says of logger, program or product.",
}
"""Keys of a reading's notes. The rows were read in each case; a format of another package may add its own."""
