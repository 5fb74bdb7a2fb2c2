import {spawnSync} from "node:child_process"
const c={node:["-e","0"],cjs:["empty.cjs"]}; for (const f of "empty net crypto os std req many manyd dyn conn".split(" ")) c[f]=[f+".mjs"]
const t={}; for(let r=0;r<40;r++) for(const [k,a] of Object.entries(c)){const b=performance.now(); spawnSync(process.execPath,a); (t[k]??=[]).push(performance.now()-b)}
for(const k in t){const s=t[k].sort((a,b)=>a-b); console.log(k.padEnd(8),s[20].toFixed(1),s[8].toFixed(1),s[2].toFixed(1))}
