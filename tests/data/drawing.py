"""Tiny data sets as labelling tools write them."""

import json

from PIL import Image

SIZE = (64, 48)


def draw(path, size=SIZE, colour=(200, 80, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', size, colour).save(path)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')


def voc_xml(objects, filename='', size=SIZE):
    """``objects`` are (name, box) or (name, box, difficult)."""
    lines = [f'<annotation><filename>{filename}</filename>']
    if size:
        lines.append(f'<size><width>{size[0]}</width><height>{size[1]}</height></size>')
    for name, (x1, y1, x2, y2), *difficult in objects:
        lines.append(
            f'<object><name>{name}</name><difficult>{int(any(difficult))}</difficult>'
            f'<bndbox><xmin>{x1}</xmin><xmax>{x2}</xmax><ymin>{y1}</ymin>'
            f'<ymax>{y2}</ymax></bndbox></object>'
        )
    return '\n'.join([*lines, '</annotation>'])


def coco_json(images, categories=('ant', 'bee'), **more):
    """``images`` maps a file name to (category id, bbox) pairs."""
    data = {'images': [], 'annotations': [], 'categories': []}
    data['categories'] = [
        item if isinstance(item, dict) else {'id': number, 'name': item}
        for number, item in enumerate(categories, 1)
    ]
    for number, (name, boxes) in enumerate(images.items(), 1):
        image = {'id': number, 'file_name': name, 'width': SIZE[0], 'height': SIZE[1]}
        data['images'].append(image)
        for category, bbox in boxes:
            data['annotations'].append(
                {
                    'id': len(data['annotations']) + 1,
                    'image_id': number,
                    'category_id': category,
                    'bbox': bbox,
                    'iscrowd': 0,
                }
            )
    return json.dumps({**data, **more})


def objects(source):
    """Return (class, box) of every image, by part and name."""
    return {
        split: {r.name: [(b.name, b.box) for b in r.boxes] for r in records}
        for split, records in source.splits.items()
    }


def tree(folder):
    """Return every file's bytes and time."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob('*')
        if path.is_file()
    }


VOC_OBJECTS = {
    'a.jpg': [('zebra', (1, 1, 64, 48)), ('ant', (10, 20, 30, 41), True)],
    'b.png': [('ant', (10.5, 20.25, 30.75, 41.125))],
    'c.JPG': [('zebra', (13, 17, 29, 31))],
    'empty.jpg': [],
    'deep/down/e.jpg': [('ant', (3, 3, 50, 48))],
    'deep/a.jpg': [('ant', (7, 7, 20, 20.1))],
    # Dirt: no area, upside down, outside.
    'z.jpg': [
        ('ant', (40, 40, 40, 40)),
        ('ant', (40, 40, 39, 39)),
        ('zebra', (50, -2, 66, 49)),
    ],
    'größe 1.tiff': [('größe & höhe', (2, 3, 4, 5))],
}


def draw_voc(root):
    """Draw all that a VOC folder may have, lists and a class nobody uses."""
    for number, (name, found) in enumerate(VOC_OBJECTS.items()):
        stem, _, _ = name.rpartition('.')
        draw(root / 'JPEGImages' / name, colour=(9 * number, 99, 10))
        text = voc_xml(found, name.rpartition('/')[2]).replace('&', '&amp;')
        write(root / f'Annotations/{stem}.xml', text)
    stems = [name.rpartition('.')[0] for name in VOC_OBJECTS]
    write(root / 'ImageSets/Main/train.txt', '\n'.join(reversed(stems[:5])))
    write(root / 'ImageSets/Main/test.txt', '\n'.join(stems[5:]))
    write(root / 'ImageSets/Main/trainval.txt', '\n'.join(stems[:5]))
    write(root / 'classes.txt', 'zebra\nunused\nant\ngröße & höhe\n')
    return root
