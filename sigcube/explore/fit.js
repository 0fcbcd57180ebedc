const m = model ? (model.labels ? model.active : Number(model.value)) : 0;
const part = (which, quantity) => {
  const start = ((which * titles.length + quantity) * nModels + m) * names.length;
  return values.slice(start, start + names.length);
};
// A parameter of another model has no value under this one: its menu moves on to the first quantity that has.
const there = titles.map((_, quantity) => quantity).filter((quantity) => part(0, quantity).some(Number.isFinite));
for (const menu of menus) {
  const taken = menus.map((each) => Number(each.value));
  const free = there.find((quantity) => !taken.includes(quantity)) ?? there[0];
  if (!there.includes(Number(menu.value)) && free !== undefined) menu.value = String(free);
}
const [x, y] = menus.map((menu) => Number(menu.value));
dots.data = {name: names, x: part(0, x), x_low: part(1, x), x_high: part(2, x), y: part(0, y), y_low: part(1, y), y_high: part(2, y)};
bars.data = bins[x][m];
for (const axis of along_x) axis.axis_label = titles[x];
along_y.axis_label = titles[y];
