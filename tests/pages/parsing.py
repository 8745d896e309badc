"""Reading a page as a strict reader would: every tag closed, nothing fetched."""

import re
from html.parser import HTMLParser

VOID = {'br', 'input', 'meta', 'wbr'}
FETCHING = {'href', 'src', 'xlink:href', 'srcset', 'action', 'data', 'poster'}


def unbroken(text):
    """Take out line breaks between elements, and make others blanks."""
    text = re.sub(r'^\s*\n\s*|\s*\n\s*$', '', text)
    return re.sub(r'\s*\n\s*', ' ', text)


class Page(HTMLParser):
    """What is in a page.

    Attributes:
        tags: Name and attributes of every element, in order.
        text: All text outside the style sheet and the script, without the line
            breaks and the indentation of templates.
        links: Files beside the page that it leads to.
        outside: Other references that lead out of the page.
    """

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.links, self.outside = [], [], []
        self._open, self._texts = [], []
        self.feed(html)
        self.close()
        assert not self._open, self._open
        self.text = ''.join(self._texts)

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        for name, value in attrs:
            if tag == 'a' and re.fullmatch(r'[\w.%/-]+', value or ''):
                self.links.append(value)
                continue
            inside = (value or '').startswith(('#', 'data:image/jpeg;base64,'))
            if name in FETCHING and not inside:
                self.outside.append((tag, name, value))

    def handle_endtag(self, tag):
        assert self._open and self._open[-1] == tag, (tag, self._open[-3:])
        self._open.pop()

    def handle_data(self, data):
        if not {'style', 'script'} & set(self._open):
            self._texts.append(unbroken(data))

    def all(self, tag, style=None):
        """Return attributes of the elements of a tag, and of a class."""
        found = [attrs for name, attrs in self.tags if name == tag]
        return [
            attrs
            for attrs in found
            if style is None or style in (attrs.get('class') or '').split()
        ]

    def sections(self):
        return [attrs['id'] for attrs in self.all('section')]
