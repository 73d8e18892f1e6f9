/// <reference types="vite/client" />

declare module "*?code" {
  const html: string;
  export default html;
}
