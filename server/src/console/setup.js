// The token stays in the fragment of the address, which browsers never send by themselves.
const form = document.getElementById("setup");
const outcome = document.getElementById("outcome");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  const username = document.getElementById("username").value;
  const password = document.getElementById("password").value;
  try {
    const response = await fetch("/api/setup", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, username, password }),
    });
    const body = await response.json();
    if (!response.ok) throw new Error(body.detail);
    history.replaceState(null, "", location.pathname);
    location.assign("/");
  } catch (error) {
    outcome.textContent = error.message;
  }
});
