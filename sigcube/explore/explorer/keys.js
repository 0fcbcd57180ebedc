// How tables hear keys. Those of Bokeh keep Tab, which then picks row after row and never leaves them.
(() => {
  const {DataTableView} = Bokeh.require("models/widgets/tables/data_table");
  const ENTERING = ["ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];

  function hear(event, view) {
    const {grid} = view;
    if (event.key === "Tab") {
      // The browser alone hears it, and goes on to what follows.
      event.stopPropagation();
    } else if (ENTERING.includes(event.key) && !grid.getActiveCell() && grid.getDataLength() > 0) {
      // Without an active row a table ignores these: they start at what is picked, else at the first row.
      const [row = 0] = grid.getSelectedRows();
      grid.setActiveCell(row, 0);
      event.stopPropagation();
      event.preventDefault();
    }
  }

  const render = DataTableView.prototype._render_table;
  DataTableView.prototype._render_table = function () {
    render.call(this);
    // One stop for Tab, where a table has one for each layer of it.
    const stops = [...this.wrapper_el.querySelectorAll("[tabindex]")];
    for (const each of stops) each.tabIndex = each === stops[0] ? 0 : -1;
    if (this.heard === this.wrapper_el) return;
    this.heard = this.wrapper_el;
    this.wrapper_el.addEventListener("keydown", (event) => hear(event, this), true);
  };
})();
