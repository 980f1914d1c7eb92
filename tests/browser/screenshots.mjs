// Pictures of what is on the screen, for the documentation.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withPalette } from './palette.mjs';

const SETTLED = 700; // milliseconds until what moves has come to its place

export class Pictures {
  // Without a folder nothing is taken.
  constructor(page, folder) {
    this.page = page;
    this.folder = folder;
  }

  // Of a part of the page, or of all of it, in a window of that height.
  async take(name, { part, height } = {}) {
    if (!this.folder) return;
    const before = this.page.viewportSize();
    if (height) await this.page.setViewportSize({ ...before, height });
    // A pointer that rests on something opens a tooltip over it.
    await this.page.mouse.move(1, 1);
    await this.page.waitForTimeout(SETTLED);
    const png = await (part ?? this.page).screenshot();
    writeFileSync(join(this.folder, `${name}.png`), withPalette(png));
    await this.page.setViewportSize(before);
  }
}
