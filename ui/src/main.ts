import "@fontsource/atkinson-hyperlegible-next/400.css";
import "@fontsource/atkinson-hyperlegible-next/600.css";
import "@fontsource/atkinson-hyperlegible-mono/latin-400.css";
import "./tokens.css";
import "./base.css";

import { mount } from "svelte";

import App from "./App.svelte";
import type { Language } from "./lib/generated";
import { speak } from "./lib/text";
import Floating from "./screens/Floating.svelte";

const target = document.getElementById("app");
// The small window says in its address which language it speaks.
const floating = /^#floating=(system|en|de)$/.exec(location.hash)?.[1];
if (floating) speak(floating as Language);
if (target) mount(floating ? Floating : App, { target });
