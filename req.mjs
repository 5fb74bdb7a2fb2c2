import{createRequire as r}from"node:module";const require=r(import.meta.url);
