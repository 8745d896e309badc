(() => {
  // A class and a score choose what is shown of a section.
  for (const form of document.querySelectorAll('form.choice')) {
    const section = form.closest('section');
    const name = form.elements.class;
    const score = form.elements.score;
    const choose = () => {
      if (score) form.querySelector('output').value = (+score.value).toFixed(3);
      for (const part of section.querySelectorAll('[data-class]')) {
        const other = name && name.value && part.dataset.class !== name.value;
        const low = score && +part.dataset.score < +score.value;
        part.classList.toggle('left-out', Boolean(other || low));
      }
      // An image of a gallery is left out with the last of its boxes.
      for (const figure of section.querySelectorAll('.gallery > figure')) {
        const shown = figure.querySelector('[data-class]:not(.left-out)');
        const chosen = name && name.value;
        figure.classList.toggle('left-out', Boolean(chosen && !shown));
      }
      // Without the box that was on it, an object is missed.
      for (const part of score ? section.querySelectorAll('[data-hit]') : []) {
        part.classList.toggle('verdict-missed', +part.dataset.hit < +score.value);
      }
    };
    form.addEventListener('input', choose);
    form.addEventListener('submit', (event) => event.preventDefault());
    form.hidden = !(name || score);
    choose();
  }

  // A click or Enter enlarges a picture; arrows lead on, Escape leads back.
  const pictures = [...document.querySelectorAll('svg.picture')];
  const dialog = document.createElement('dialog');
  dialog.className = 'enlarged';
  let current = 0;
  const show = (index) => {
    current = (index + pictures.length) % pictures.length;
    const picture = pictures[current].cloneNode(true);
    picture.removeAttribute('tabindex');
    picture.querySelector('image')?.removeAttribute('id');
    const { width, height } = pictures[current].viewBox.baseVal;
    picture.style.setProperty('--ratio', width / height);
    const caption = document.createElement('p');
    caption.textContent = picture.getAttribute('aria-label');
    dialog.replaceChildren(picture, caption);
    dialog.setAttribute('aria-label', caption.textContent);
    if (!dialog.open) dialog.showModal();
  };
  pictures.forEach((picture, index) => {
    picture.tabIndex = 0;
    picture.addEventListener('click', () => show(index));
    picture.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' || event.key === ' ') {
        event.preventDefault();
        show(index);
      }
    });
  });
  dialog.addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => pictures[current].focus());
  dialog.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) show(current + step);
  });
  document.body.append(dialog);
})();
