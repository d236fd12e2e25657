import { useEffect, useState } from "preact/hooks";

export type Theme = "light" | "dark";

// useTheme follows the system until somebody chooses. Nothing is stored: the
// choice is gone with the page.
export function useTheme(): [Theme, (t: Theme) => void] {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const [chosen, choose] = useState<Theme | null>(null);
  const [dark, setDark] = useState(system.matches);
  useEffect(() => {
    const changed = (e: MediaQueryListEvent) => setDark(e.matches);
    system.addEventListener("change", changed);
    return () => system.removeEventListener("change", changed);
  }, []);
  const theme = chosen ?? (dark ? "dark" : "light");
  document.documentElement.dataset.theme = theme;
  return [theme, choose];
}
