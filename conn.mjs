import {connect} from "node:net"; const s=connect("/tmp/nope.sock"); s.on("error",()=>{})
