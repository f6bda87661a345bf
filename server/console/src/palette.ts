/**
 * Colours for the canvas, read from the style sheet so that both themes are defined in one place,
 * and the lasting choice of a colour for each ad category.
 */

export const CATEGORY_COLOURS = 8;

const NAMES = [
  "sea", "land", "border", "coast", "grid", "place", "place-halo", "device", "device-edge", "list", "fence",
  "fence-fill", "enter", "exit", "match", "select", "other", "panel", "text",
] as const;

export type ColourName = (typeof NAMES)[number];

export class Palette {
  private colours = new Map<string, string>();
  private readonly categories = new Map<string, number>();

  constructor(private readonly root: HTMLElement) {
    this.read();
  }

  /** Reads the style sheet again, after a change of theme. */
  read(): void {
    const style = getComputedStyle(this.root);
    const names = [...NAMES, ...Array.from({ length: CATEGORY_COLOURS }, (_, index) => `category-${index}`)];
    this.colours = new Map(names.map((name) => [name, style.getPropertyValue(`--map-${name}`).trim() || "#888"]));
  }

  colour(name: ColourName): string {
    return this.colours.get(name) ?? "#888";
  }

  /** Categories keep their colour once seen; those beyond the palette share one. */
  category(name: string | undefined): string {
    const slot = this.slot(name);
    return slot === null ? this.colour("other") : (this.colours.get(`category-${slot}`) ?? this.colour("other"));
  }

  /** The number of a category's colour, as used in class names; null for the shared one. */
  slot(name: string | undefined): number | null {
    if (name === undefined || name === "") return null;
    let slot = this.categories.get(name);
    if (slot === undefined) this.categories.set(name, (slot = this.categories.size));
    return slot < CATEGORY_COLOURS ? slot : null;
  }

  /** Whether some categories have to share a colour. */
  get overflows(): boolean {
    return this.categories.size > CATEGORY_COLOURS;
  }

  /** Categories with a colour of their own, in order of their colours. */
  known(): string[] {
    return [...this.categories.keys()].slice(0, CATEGORY_COLOURS);
  }
}
