const name = cb_obj.value;
for (const part of parts) {
  part.mapper.high = part.most[name];
  part.source.data = {image: part.images.data[name]};
  if (part.line) part.line.data = {x: part.lines.data.x, y: part.lines.data[`y ${name}`]};
}
