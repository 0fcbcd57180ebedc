const {start, end} = cb_data;
const among = (values) => values.filter((value) => start <= value && value <= end);
const powers = [];
for (let power = Math.floor(Math.log10(start)); power <= Math.log10(end); power++) powers.push(power);
const within = (steps, every) => among(
  powers.filter((power) => power % every === 0).flatMap((power) => steps.map((step) => Number(`${step}e${power}`)))
);
const choices = [[1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1, 3]].map((steps) => within(steps, 1));
for (let every = 1; every <= powers.length; every++) choices.push(within([1], every));
const found = choices.find((ticks) => ticks.length <= most) ?? [];
if (found.length > 2) return found;
// Within a power of ten, evenly spaced ones.
const size = 10 ** Math.floor(Math.log10((end - start) / most));
const evenly = [1, 2, 5, 10].map((step) => {
  const first = Math.ceil(start / (step * size)), last = Math.floor(end / (step * size));
  return Array.from({length: last - first + 1}, (_, i) => (first + i) * step * size);
});
return evenly.find((ticks) => ticks.length <= most) ?? found;
