// Clips are filtered by what is written in them, by their set and by kinds of error. Without this script all of them stand there.
const controls = document.querySelector("#clip-controls");
if (controls) {
  const clips = [...document.querySelectorAll("#clips article")].map((clip) => ({ clip, text: clip.textContent.toLowerCase() }));
  const [search, set, kind] = ["search", "set", "kind"].map((name) => controls.querySelector(`[name=${name}]`));
  const shown = controls.querySelector("output");
  const filter = () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { clip, text } of clips) {
      const fits =
        wanted.every((word) => text.includes(word)) &&
        (!set.value || clip.dataset.set === set.value) &&
        (!kind.value || clip.dataset.kinds.split(" ").includes(kind.value));
      clip.hidden = !fits;
    }
    shown.value = `${clips.filter(({ clip }) => !clip.hidden).length} of ${clips.length} shown`;
  };
  for (const event of ["input", "change"]) controls.addEventListener(event, filter);
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.hidden = false;
  filter();
}
