const {image: [pixels], xs: [xs], ys: [ys], px: [px], py: [py]} = image.data_source.data;
const nearest = (values, at) => {
  let best = 0;
  values.forEach((value, i) => { if (Math.abs(value - at) < Math.abs(values[best] - at)) best = i; });
  return best;
};
const show = (number) => Number.isFinite(number) ? String(Number(number.toPrecision(4))) : "not finite";
// Differences of ln L count, however large it is.
const amount = (number) => Math.abs(number) >= 1e3 && Math.abs(number) < 1e7 ? String(Number(number.toFixed(1))) : show(number);
const i = nearest(xs, special_vars.x), j = nearest(ys, special_vars.y);
if (what === "x") return show(xs[i]);
if (what === "y") return show(ys[j]);
return amount(pixels[py.indexOf(j) * px.length + px.indexOf(i)]);
