// What Bokeh does again and again at each painting, and need not.
(() => {
  // An axis writes its style sheet at each painting: each time the browser works out all styles of the page anew.
  const {InlineStyleSheet} = Bokeh.require("core/dom");
  const write = InlineStyleSheet.prototype._update;
  InlineStyleSheet.prototype._update = function (css) {
    if (this.el.textContent !== css) write.call(this, css);
  };

  // While a button is held, what lies below the pointer is not looked up: that takes longer than what it shows.
  let held = false;
  for (const [kind, now] of [["pointerdown", true], ["pointerup", false], ["pointercancel", false]]) {
    document.addEventListener(kind, () => { held = now; }, true);
  }
  const {HoverToolView} = Bokeh.require("models/tools/inspectors/hover_tool");
  const inspect = HoverToolView.prototype._inspect;
  HoverToolView.prototype._inspect = function (sx, sy, dims) {
    if (held && this.hides) return;
    this.hides = held;
    inspect.call(this, held ? Infinity : sx, held ? Infinity : sy, dims);
  };

  // Lines on the upper canvas, which is painted without axes and all else below, end at the frame of their figure.
  const {GlyphRendererView} = Bokeh.require("models/renderers/glyph_renderer");
  Object.defineProperty(GlyphRendererView.prototype, "needs_clip", {
    get() { return this.model.tags.includes("framed"); },
  });
})();
