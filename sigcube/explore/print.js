// Figures keep the width of the screen when a page is printed: they are scaled to that of the printed page, in page.html.
addEventListener("beforeprint", () => {
  const figures = [...document.querySelectorAll(".figures > div")];
  const widths = figures.map((each) => each.getBoundingClientRect().width);
  figures.forEach((each, i) => {
    each.style.setProperty("--width", `${widths[i]}px`);
    each.style.setProperty("--scale", Math.min(1, 680 / widths[i]));
  });
});
