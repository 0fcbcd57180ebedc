const chosen = switches.map((each) => each.labels ? each.active : Number(each.value));
const summary = chosen[0];
const place = (lengths, at) => at.reduce((sum, i, axis) => sum * lengths[axis] + i, 0);
const labels = place(lengths.slice(1, 1 + nLabels), chosen.slice(1, 1 + nLabels));
const words = chosen.slice(1).map((i, axis) => `${names[axis]} = ${texts[axis][i]}`);
title.text = titles[summary] + (words.length ? ` at ${words.join(", ")}` : "");
if (map) {
  const k = place(lengths, chosen), {values} = map;
  const {image: [pixels], xs: [xs], ys: [ys], px: [px], py: [py]} = map.image.data_source.data;
  for (let j = 0; j < py.length; j++) {
    for (let i = 0; i < px.length; i++) pixels[j * px.length + i] = values[(k * ys.length + py[j]) * xs.length + px[i]];
  }
  map.image.data_source.change.emit();
  map.contours.data = map.lines[k];
  map.best.data = {x: [map.places[k][0]], y: [map.places[k][1]]};
  map.mapper.palette = map.palettes[summary];
  [map.mapper.low, map.mapper.high] = map.limits[summary][labels];
  map.bar.title = axisTitles[summary];
  for (const {drawn, where} of map.marks) drawn.visible = where[labels];
}
for (const {source, values, at, line} of lines) {
  const row = summary * nLines + (line === null ? labels : line);
  source.data = {x: at, y: values.slice(row * at.length, (row + 1) * at.length)};
}
for (const axis of axes) axis.axis_label = axisTitles[summary];
