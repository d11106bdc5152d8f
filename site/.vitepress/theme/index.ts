// This variant of the default theme uses the fonts of the reader's system and loads none.
import theme from "vitepress/theme-without-fonts";
import "./style.css";

export default theme;
