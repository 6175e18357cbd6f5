// Texts that miss WCAG 2.2 AA: 4.5 to 1, or 3 to 1 from 24 px (18.66 px when bold). Returns one line for each.
() => {
  const channels = colour => colour.match(/[\d.]+/g).map(Number);
  const luminance = colour => {
    const [r, g, b] = channels(colour).slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = node => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (channels(colour)[3] !== 0) return colour;
    }
    throw new Error("nothing paints the page");
  };
  const texts = [...document.querySelectorAll("body *")].filter(node => node.checkVisibility() && node.tagName !== "SCRIPT"
    && [...node.childNodes].some(child => child.nodeType === Node.TEXT_NODE && child.data.trim()));
  if (texts.length < 40) throw new Error("only " + texts.length + " texts: the page is not what this was written for");
  return texts.flatMap(node => {
    const style = getComputedStyle(node), size = parseFloat(style.fontSize);
    const [high, low] = [luminance(style.color), luminance(ground(node))].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    return ratio < (large ? 3 : 4.5) ? [`${ratio.toFixed(2)} ${style.color} on ${ground(node)}: ${node.textContent}`] : [];
  });
}
