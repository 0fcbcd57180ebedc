cb_obj.data.text.forEach((text, i) => {
  if (lines[i].text === text) return;
  // Silently: a line that is told of it has the whole page laid out anew.
  lines[i].setv({text}, {silent: true});
  const view = Bokeh.index.find_one(lines[i]);
  if (view === null || !lines[i].visible) return;
  view.markup_el.textContent = text;
  view.el.style.display = text === "" ? "none" : "block";
});
