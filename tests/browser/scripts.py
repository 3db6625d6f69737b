"""What is asked of a page in the browser."""

from __future__ import annotations

# Text with less contrast to what is behind it than WCAG 2.2 asks for (1.4.3); disabled buttons may have less.
FAINT_TEXT = """
const luminance = ([r, g, b]) => [r, g, b]
  .map(part => part / 255)
  .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
  .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
const behind = element => {
  for (; element; element = element.parentElement) {
    const colour = numbers(getComputedStyle(element).backgroundColor);
    if (colour.length < 4 || colour[3] === 1) return colour;
    if (colour[3] !== 0) throw new Error("half transparent: " + element.className);
  }
  throw new Error("the page has no background");
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const faint = [];
let seen = 0;
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || element.matches(":disabled")) continue;
  const [dark, light] = [numbers(getComputedStyle(element).color), behind(element)]
    .map(luminance).sort((one, other) => one - other);
  const ratio = (light + 0.05) / (dark + 0.05);
  seen += 1;
  if (ratio < 4.5) faint.push(ratio.toFixed(2) + " " + texts.currentNode.data);
}
return [seen, faint];
"""

# Elements that stand out of the view at its side, and those whose text is wider than they are.
OVERFLOWING = """
const width = document.documentElement.clientWidth;
return [...document.querySelectorAll("body *")].filter(element => {
  const box = element.getBoundingClientRect();
  const inline = getComputedStyle(element).display === "inline";
  return box.right > width + 0.5 || box.left < -0.5 || (!inline && element.scrollWidth > element.clientWidth + 1);
}).map(element => element.outerHTML.slice(0, 100));
"""

FOCUSED = """
const element = document.activeElement;
const style = getComputedStyle(element);
return [element.innerText.trim(), style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
"""
