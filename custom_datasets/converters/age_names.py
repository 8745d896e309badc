"""The class of an age and a gender, however they are written."""

import re
from collections.abc import Collection

_GENDERS = {
    'female': ('female', 'f', 'woman', 'women', 'w'),
    'male': ('male', 'm', 'man', 'men'),
}
_WORDS = ('twenties', 'thirties', 'forties', 'fifties', 'sixties')
_AGE = re.compile(r'(\d+)(?:\.\d+)?(?:s|\s*-\s*(\d+))?')


def name_class(age: str, gender: str, classes: Collection[str]) -> tuple[str, str]:
    """Return the class of an age and a gender, or nothing and why there is none."""
    sex = next((g for g, words in _GENDERS.items() if gender.lower() in words), '')
    if not sex:
        return '', f'gender {gender!r} is not known'
    years = _AGE.fullmatch(age.strip().lower())
    decade = int(years[1]) // 10 if years else -1
    label = f'{decade}0s_{sex}'
    if years and int(years[2] or years[1]) // 10 == decade and label in classes:
        return label, ''
    return '', f'no class for the age {age!r}'


def name_folder(folder: str, classes: Collection[str]) -> tuple[str, str]:
    """Return the class that a folder is called by, or nothing and why there is none."""
    words = re.findall(r'\d+(?:\s*-\s*\d+)?|[a-z]+', folder.lower())
    ages = [word for word in words if word[0].isdecimal()]
    ages += [f'{20 + 10 * _WORDS.index(word)}' for word in words if word in _WORDS]
    genders = [w for w in words if any(w in known for known in _GENDERS.values())]
    if len(ages) == len(genders) == 1:
        return name_class(ages[0], genders[0], classes)
    return '', 'the name of its folder has no age and gender'
