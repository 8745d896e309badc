"""Errors that a user can fix: each is one sentence, never a traceback."""

from collections.abc import Sequence

from custom_datasets.text import counted

MAX_SHOWN = 100
"""Problems that one error prints; the rest are counted."""


class UserError(Exception):
    """Something outside the code is wrong, and the message says what to do."""


class ConfigError(UserError):
    """A config asks for something that cannot work."""


class ImageError(UserError):
    """An image cannot be used: missing, empty, damaged or too large.

    ``image`` names it, and ``problem`` is the end of a sentence.
    """

    def __init__(self, image: str, problem: str) -> None:
        """Build the message from what is wrong with which image."""
        self.image = image
        self.problem = problem
        super().__init__(f'{image}: {problem}')

    def __reduce__(self) -> tuple[type['ImageError'], tuple[str, str]]:
        """Say how another process builds it anew."""
        return type(self), (self.image, self.problem)


class AnnotationError(UserError):
    """Everything that is wrong with one data set, collected in one go.

    The problems are one sentence each, starting with the file they are about.
    """

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        """Build the message from where they were found, and all of them."""
        self.where = where
        self.problems = tuple(problems)
        count = len(self.problems)
        lines = [f'{where}: {counted(count, "problems")}']
        lines += [f'  {problem}' for problem in self.problems[:MAX_SHOWN]]
        if count > MAX_SHOWN:
            lines.append(f'  ... and {count - MAX_SHOWN} more')
        super().__init__('\n'.join(lines))
