/**
 * The city picker: the places where devices are, found by grouping them and named after the nearest large city.
 */

import type { Cluster } from "./clusters";
import { byId, element } from "./element";
import { placeNear } from "./places";
import { countText, coordinatesText } from "./words";

export interface City extends Cluster {
  readonly name: string;
}

/** Names groups; two with the same large city near them keep apart by their coordinates. */
export function citiesOf(clusters: readonly Cluster[]): City[] {
  const taken = new Set<string>();
  return clusters.map((cluster) => {
    const where = coordinatesText(cluster.center[0], cluster.center[1], 1);
    const near = placeNear(cluster.center)?.name ?? where;
    const name = taken.has(near) ? where : near;
    taken.add(name);
    return { ...cluster, name };
  });
}

export class CityPicker {
  private readonly select = byId<HTMLSelectElement>("city");
  private cities: readonly City[] = [];
  private shown = "";

  constructor(onCity: (city: City) => void, onWorld: () => void) {
    this.select.addEventListener("change", () => {
      const city = this.cities[Number(this.select.value)];
      if (this.select.value === "world") onWorld();
      else if (city !== undefined) onCity(city);
      // Back to the heading, so that the same city can be picked again.
      this.select.selectedIndex = 0;
    });
  }

  update(cities: readonly City[]): void {
    if (document.activeElement === this.select) return;
    this.cities = cities;
    const labels = cities.map(({ name, count }) => `${name} \u00b7 ${countText(count)}`);
    const text = labels.join("\n");
    if (text === this.shown) return;
    this.shown = text;
    this.select.replaceChildren(
      element("option", { value: "", disabled: true, selected: true }, "Go to"),
      element("option", { value: "world" }, "Whole world"),
      ...labels.map((label, index) => element("option", { value: String(index) }, label)),
    );
  }
}
