const m = model ? (model.labels ? model.active : Number(model.value)) : 0;
const [x, y] = menus.map((menu) => Number(menu.value));
const part = (which, quantity) => {
  const start = ((which * titles.length + quantity) * nModels + m) * names.length;
  return values.slice(start, start + names.length);
};
dots.data = {name: names, x: part(0, x), x_low: part(1, x), x_high: part(2, x), y: part(0, y), y_low: part(1, y), y_high: part(2, y)};
bars.data = bins[x][m];
for (const axis of along_x) axis.axis_label = titles[x];
along_y.axis_label = titles[y];
