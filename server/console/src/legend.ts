/**
 * The legend: a switch for each layer, and which colour stands for which ad category.
 */

import { byId, element } from "./element";
import type { Palette } from "./palette";
import type { LayerName } from "./scene";

export class Legend {
  private readonly categories = byId("legend-categories");
  private shown = "";

  constructor(
    private readonly palette: Palette,
    visible: Set<LayerName>,
    onChange: () => void,
  ) {
    // On a small screen the map itself comes first.
    byId<HTMLDetailsElement>("legend").open = !matchMedia("(width <= 860px)").matches;
    for (const box of document.querySelectorAll<HTMLInputElement>("#layers input")) {
      box.addEventListener("change", () => {
        const layer = box.value as LayerName;
        if (box.checked) visible.add(layer);
        else visible.delete(layer);
        onChange();
      });
    }
  }

  render(): void {
    const names = this.palette.known();
    const text = [...names, this.palette.overflows].join("\n");
    if (text === this.shown) return;
    this.shown = text;
    const line = (name: string, index: number) => {
      return element("li", {}, element("span", { class: `diamond category-${index}`, "aria-hidden": "true" }), name);
    };
    const items = names.map(line);
    if (this.palette.overflows) items.push(line("other", names.length));
    this.categories.replaceChildren(...items);
  }
}
