const i = Number(cb_obj.value);
selected.indices = [i];
const data = {};
for (const [name, values] of Object.entries(all.data)) {
  data[name] = values.slice(offsets[i], offsets[i + 1]);
}
curve.data = data;
if (line) line.text = facts[i];
