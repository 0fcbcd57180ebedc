const i = Number(cb_obj.value);
for (const part of parts) {
  part.mapper.high = part.most[i];
  part.source.data = {image: [part.images[i]]};
  if (part.line) part.line.data = {x: part.middles, y: part.medians[i]};
}
