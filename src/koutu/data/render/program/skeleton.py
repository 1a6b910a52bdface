"""The rig of a body: where its joints are at rest, and skin that follows turned bones."""

import numpy as np
from arrays import Floats, unit
from body import Body

FINGERS = ("index", "middle", "ring", "pinky")
SIDES = (("l", 1.0), ("r", -1.0))


class Skeleton:
    """heads: bone → joint (3,) at rest; parents: bone → bone, "" of the root; size: chin to crown; arm: its length."""

    def __init__(self, body: Body):
        rig = body.template.rig
        self.bones = body.template.bones
        self.heads = {name: _joint(body, bone["head"]) for name, bone in rig.items()}
        self.heads["Root"] = np.zeros(3)
        self.parents = {name: bone["parent"] for name, bone in rig.items()} | {"Root": ""}
        self.order = _parents_first(self.parents)
        head = body.vertices[body.head_vertices]
        self.crown, self.chin = head[:, 2].max(), head[:, 2].min()
        self.size = float(self.crown - self.chin)
        self.eyes = {side: body.joint(f"joint-{side}-eye") for side, _ in SIDES}
        brow_up = head[head[:, 2] > self.eyes["l"][2]]
        middle = (head[:, 1].max() + brow_up[:, 1].min()) / 2
        self.centre = np.array([0, middle, self.eyes["l"][2] + 0.25 * (self.crown - self.eyes["l"][2])])
        self.upper = float(np.linalg.norm(self.heads["lowerarm_l"] - self.heads["upperarm_l"]))
        self.lower = float(np.linalg.norm(self.heads["hand_l"] - self.heads["lowerarm_l"]))
        self.arm = self.upper + self.lower
        self.leg = float(self.heads["thigh_l"][2])
        self.hands = {side: self._hand(side) for side, _ in SIDES}
        self.front = self._front(body)

    def _hand(self, side: str) -> tuple[Floats, Floats]:
        """Where the fingers and where the palm point, at rest."""
        wrist, middle = self.heads[f"hand_{side}"], self.heads[f"middle_01_{side}"]
        index, pinky = self.heads[f"index_01_{side}"], self.heads[f"pinky_01_{side}"]
        palm = unit(np.cross(index - wrist, pinky - wrist))
        inwards = np.array([-wrist[0], 0.0, -abs(wrist[0])])
        return unit(middle - wrist), palm if palm @ inwards > 0 else -palm

    def _front(self, body: Body) -> float:
        """y of the trunk's frontmost skin below the shoulders."""
        skin = body.skin
        low, high = self.heads["pelvis"][2], self.heads["upperarm_l"][2]
        trunk = (np.abs(skin[:, 0]) < 0.8 * self.heads["upperarm_l"][0]) & (skin[:, 2] > low) & (skin[:, 2] < high)
        return float(skin[trunk, 1].min())

    def matrices(self, turns: dict[str, Floats], offset: Floats) -> dict[str, Floats]:
        """4×4 of each bone, from rest; turns: 3×3 about the bone's joint, in the axes of rest, under the parent's."""
        found: dict[str, Floats] = {"": np.eye(4)}
        found[""][:3, 3] = offset
        for bone in self.order:
            joint, local = self.heads[bone], np.eye(4)
            local[:3, :3] = turns.get(bone, np.eye(3))
            local[:3, 3] = joint - local[:3, :3] @ joint
            found[bone] = found[self.parents[bone]] @ local
        return found

    def stacked(self, matrices: dict[str, Floats]) -> Floats:
        """(bones, 4, 4) in the order of weights."""
        return np.stack([matrices[bone] for bone in self.bones])


def place(matrix: Floats, point: Floats) -> Floats:
    """A point of rest where its bone has moved it."""
    return matrix[:3, :3] @ point + matrix[:3, 3]


def skinned(vertices: Floats, weights: Floats, matrices: Floats) -> Floats:
    """(V, 3) by linear blending of bones; weights (V, B), matrices (B, 4, 4)."""
    blended = (weights @ matrices[:, :3].reshape(len(matrices), 12)).reshape(-1, 3, 4)
    return (blended[:, :, :3] @ vertices[:, :, None])[:, :, 0] + blended[:, :, 3]


def _joint(body: Body, end: dict) -> Floats:
    return body.joint(end["cube_name"]) if end["strategy"] == "CUBE" else np.array(end["default_position"], float)


def _parents_first(parents: dict[str, str]) -> list[str]:
    order: list[str] = []
    while len(order) < len(parents):
        order += [bone for bone, parent in parents.items() if bone not in order and (not parent or parent in order)]
    return order
