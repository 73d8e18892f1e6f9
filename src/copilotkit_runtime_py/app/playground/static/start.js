try {
  document.documentElement.dataset.theme = localStorage.getItem("playground.theme") ?? "auto";
} catch { /* the page works without a memory */ }
addEventListener("DOMContentLoaded", () => {
  import(location.pathname.replace(/\/+$/, "") + "/{{modules}}/main.js").catch((error) => {
    document.body.prepend(`The playground did not load, please reload it. (${error.message})`);
  });
});
