const i = names.indexOf(cb_obj.value);
selected.indices = [i];
for (const [renderer, columns] of glyphs) {
  for (const [property, quantity] of Object.entries(columns)) {
    renderer.glyph[property] = {field: `${quantity} ${i}`};
  }
}
