"""Each row of json_rules.md, as the content of a callback to a running server: what is taken comes
back byte for byte, and what is refused says what is wrong and where."""

import pytest

import rules
from conftest import ID_MAX, QUIT, assert_handled, assert_refused, quit_body

TABLES = rules.read("json_rules.md")

BATCH = 16  # events between one look and the next


class Case:
    def __init__(self, table, row):
        self.name = row["case"]
        self.content, mark = rules.as_bytes(table.sent(row), short=False)
        self.status, self.code = map(int, f"{row.get('answer', '200')} 0".split()[:2])
        where = rules.expand(row.get("errDlt") or "content, byte ^")
        self.place = where.replace("^", str(mark))
        self.stored = []
        if "stored" in row:
            stored, _ = rules.as_bytes(rules.expand(rules.code(row["stored"])), short=False)
            twice = table.frame.count(rules.PLACE) == 2
            self.stored = [(stored.decode(), stored.decode() if twice else "U")]
        elif self.status == 200:
            self.stored = [("G", "U")]

    @property
    def moved(self):
        """The counters that it moves."""
        if self.status == 200:
            return ["stored"]
        return ["refused"] + ([rules.LIMITS[self.code]] if self.code in rules.LIMITS else [])


@pytest.mark.parametrize("table", TABLES, ids=rules.ids(TABLES))
def test_callback_content_is_answered_as_the_rules_say(server, table):
    with rules.watching(server) as watch, server.connection() as connection:
        for case in [Case(table, row) for row in table.rows]:
            with rules.told(case.name):
                reply = connection.ask("POST", QUIT, case.content)
                if case.status == 200:
                    assert_handled(reply)
                else:
                    assert_refused(reply, case.status, case.code, case.place)
                assert not reply.closes
                assert watch.look() == (case.moved, case.stored)


def id_of(length):
    """That many bytes: characters of two, three and four, and letters for the rest."""
    text = ("é漢😀" * length).encode()[:length].decode(errors="ignore")
    return text + "x" * (length - len(text.encode()))


def test_callback_takes_ids_of_each_length(server):
    ids = [(id_of(n), id_of(ID_MAX + 1 - n)) for n in range(1, ID_MAX + 1)]
    with rules.watching(server) as watch, server.connection() as connection:
        for first in range(0, len(ids), BATCH):
            batch = ids[first : first + BATCH]
            for group, user in batch:
                assert_handled(connection.ask("POST", QUIT, quit_body(group, user)))
            assert watch.look() == (["stored"] * len(batch), batch)
