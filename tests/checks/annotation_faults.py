"""Faults of class names, boxes, XML files and lists."""

from tests.checks.planting import ALONE, Expected, Place, fault, harmless


def _unknown_class(right, wrong):
    def plant(place):
        number, _ = place.find(right)
        place.set_text(f'object[{number + 1}]/name', wrong)
        return place.expect('unknown-class', number=number)

    return plant


fault('class-in-lower-case')(_unknown_class('RBC', 'rbc'))
fault('class-with-hyphen')(_unknown_class('Platelets', 'Plate-lets'))
fault('class-with-underscore')(_unknown_class('Platelets', 'plate_lets'))
fault('class-with-space')(_unknown_class('Platelets', 'Plate lets'))
fault('class-with-typo')(_unknown_class('Platelets', 'Platlet'))
fault('class-of-another-set')(_unknown_class('WBC', 'dust'))


def other_vocabulary(root):
    names = {'RBC': 'erythrocyte', 'WBC': 'leukocyte', 'Platelets': 'thrombocyte'}
    for path in sorted((root / 'Annotations').glob('*.xml')):
        text = path.read_text()
        for right, wrong in names.items():
            text = text.replace(f'<name>{right}</name>', f'<name>{wrong}</name>')
        path.write_text(text)
    file = 'ImageSets/Main/train.txt'
    also = frozenset({'unknown-class', 'class-without-box', 'other-vocabulary'})
    return Expected('other-vocabulary', 'train', file, also=also)


ALONE['other-vocabulary'] = other_vocabulary


@fault('zero-area-box')
def zero_area_box(place):
    number, (x1, y1, _, y2) = place.find('RBC')
    place.set_box(number, (x1, y1, x1, y2))
    return place.expect('zero-area-box', number=number)


@fault('inverted-box')
def inverted_box(place):
    number, (x1, y1, x2, y2) = place.find('RBC')
    place.set_box(number, (x2, y1, x1, y2))
    return place.expect('inverted-box', number=number)


@fault('outside-box')
def outside_box(place):
    number, (x1, y1, x2, y2) = place.find('RBC')
    width = place.pixels().shape[1]
    place.set_box(number, (x1 + width, y1, x2 + width, y2))
    return place.expect('outside-box', number=number)


@fault('clipped-box')
def clipped_box(place):
    number, (x1, y1, _, y2) = place.find('RBC')
    place.set_box(number, (x1, y1, place.pixels().shape[1] + 12, y2))
    return place.expect('clipped-box', number=number)


@fault('box-one-pixel-too-wide')
def box_one_pixel_too_wide(place):
    number, (x1, y1, _, y2) = place.find('RBC')
    place.set_box(number, (x1, y1, place.pixels().shape[1] + 1, y2))
    return place.expect('clipped-box', number=number)


@fault('duplicate-object')
def duplicate_object(place):
    _, box = place.find('RBC')
    return place.expect('duplicate-object', number=place.add('RBC', box))


@fault('two-classes')
def two_classes(place):
    _, box = place.find('RBC')
    return place.expect('two-classes', number=place.add('WBC', box))


@fault('overlapping-objects')
def overlapping_objects(place):
    _, (x1, y1, x2, y2) = place.find('WBC')
    number = place.add('WBC', (x1, y1, x2 - 1, y2))
    return place.expect('overlapping-objects', number=number)


@fault('tiny-box')
def tiny_box(place):
    """One and a half pixels wide: a one-based box includes both of its sides.

    So it is tiny up to a scale of 2.6.
    """
    return place.expect('tiny-box', number=place.add('Platelets', (10, 10, 10.5, 21)))


@fault('wrong-size')
def wrong_size(place):
    height, width = place.pixels().shape[:2]
    place.set_size(width * 2, height * 2)
    return place.expect('wrong-size')


@fault('sides-exchanged')
def sides_exchanged(place):
    height, width = place.pixels().shape[:2]
    place.set_size(height, width)
    return place.expect('wrong-size', also=['outside-box', 'clipped-box'])


@fault('image-without-annotation')
def image_without_annotation(place):
    place.xml.unlink()
    return place.expect('no-annotation', place.image)


@fault('annotation-without-image')
def annotation_without_image(place):
    place.image.unlink()
    return place.expect('missing-image')


@fault('unlisted-annotation-without-image')
def unlisted_annotation_without_image(place):
    path = place.xml.with_stem('lost_and_found')
    path.write_text(place.xml.read_text().replace(place.name, 'lost_and_found'))
    return Expected('no-image', None, path.relative_to(place.root).as_posix())


@fault('wrong-filename')
def wrong_filename(place):
    place.set_text('filename', 'BloodImage_99999.jpg')
    return place.expect('wrong-filename')


@fault('filename-of-another-image')
def filename_of_another_image(place):
    place.set_text('filename', 'val_0000.png')
    return place.expect('wrong-filename')


@fault('broken-xml')
def broken_xml(place):
    text = place.xml.read_text()
    place.xml.write_text(text[: len(text) // 2])
    return place.expect('broken-annotation')


@fault('object-without-box')
def object_without_box(place):
    tree = place.tree()
    element = tree.find('object')
    element.remove(element.find('bndbox'))
    tree.write(place.xml)
    return place.expect('broken-annotation', number=0)


@fault('predicted-labels')
def predicted_labels(place):
    mark = '<source><annotation>predicted by best.pth</annotation></source><size>'
    place.xml.write_text(place.xml.read_text().replace('<size>', mark, 1))
    return place.expect('predicted-labels')


@fault('stray-text')
def stray_text(place):
    place.xml.write_text(place.xml.read_text().replace('<size>', 'oops<size>', 1))
    return place.expect('stray-text')


@fault('listed-twice')
def listed_twice(place):
    with open(place.list, 'a') as file:
        file.write(f'{place.name}\n')
    return place.expect('listed-twice', place.list)


@fault('listed-but-absent')
def listed_but_absent(place):
    with open(place.list, 'a') as file:
        file.write('no_such_image\n')
    return place.expect('missing-image', place.list, also=['no-annotation'])


@fault('empty-list')
def empty_list(place):
    place = Place(place.root, 'val', 0)
    place.list.write_text('\n')
    return place.expect('empty-list', place.list, also=['unlisted-image'])


@harmless('capital-suffix')
def capital_suffix(place):
    place.write_bytes(place.image.read_bytes(), '.PNG')


@harmless('filename-with-folder')
def filename_with_folder(place):
    place.set_text('filename', f'C:\\Users\\anna\\smears\\{place.image.name}')


@harmless('children-in-another-order')
def children_in_another_order(place):
    tree = place.tree()
    for element in (tree.getroot(), *tree.iter('object'), *tree.iter('bndbox')):
        element[:] = reversed(element[:])
    tree.write(place.xml)
